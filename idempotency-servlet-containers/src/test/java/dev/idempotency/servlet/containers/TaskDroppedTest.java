package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A container that loses what a waiting request hands to it. Jetty drops tasks of {@code
 * AsyncContext.start} when the client disconnects before they run; the other faults are as possible
 * for code that stands between us and a container.
 */
class TaskDroppedTest extends InCompany {

  /** What becomes of a task or a dispatch. */
  enum Fault {
    /** It is accepted, and the request ends without it. */
    DROPPED {
      @Override
      void call(AsyncContext container, Runnable task) {
        container.complete();
      }
    },
    REJECTED {
      @Override
      void call(AsyncContext container, Runnable task) {
        throw new RejectedExecutionException("made up");
      }
    },
    /** As where no thread can be made. */
    ERROR {
      @Override
      void call(AsyncContext container, Runnable task) {
        throw new OutOfMemoryError("made up: unable to create native thread");
      }
    },
    TWICE {
      @Override
      void call(AsyncContext container, Runnable task) {
        task.run();
        try {
          task.run();
        } catch (IllegalStateException refusedByTheContainer) {
          // As it should.
        }
      }
    };

    abstract void call(AsyncContext container, Runnable task);
  }

  private final List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());

  /**
   * A filter in front; the second request, which waits, has an asynchronous context with a fault.
   */
  private static Mapped faulty(Fault fault, String... methods) {
    AtomicInteger requests = new AtomicInteger();
    return Mapped.asDocumented(
        (request, response, chain) ->
            chain.doFilter(
                request.getDispatcherType() == DispatcherType.REQUEST
                        && requests.incrementAndGet() == 2
                    ? new FaultyRequest((HttpServletRequest) request, fault, List.of(methods))
                    : request,
                response));
  }

  private static final class FaultyRequest extends HttpServletRequestWrapper {
    private final Fault fault;
    private final List<String> methods;

    FaultyRequest(HttpServletRequest request, Fault fault, List<String> methods) {
      super(request);
      this.fault = fault;
      this.methods = methods;
    }

    @Override
    public AsyncContext startAsync(ServletRequest request, ServletResponse response) {
      AsyncContext container = super.startAsync(request, response);
      return (AsyncContext)
          Proxy.newProxyInstance(
              AsyncContext.class.getClassLoader(),
              new Class<?>[] {AsyncContext.class},
              (proxy, method, arguments) -> {
                if (methods.contains(method.getName())) {
                  Runnable task =
                      method.getName().equals("start")
                          ? () -> container.start((Runnable) arguments[0])
                          : container::dispatch;
                  fault.call(container, task);
                  return null;
                }
                try {
                  return method.invoke(container, arguments);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
              });
    }
  }

  /** The first run is held; others answer at once. */
  private Handler handler() {
    return (request, response) -> {
      int run = runs.incrementAndGet();
      if (run == 1) {
        held.add(request.startAsync());
        return;
      }
      response.setStatus(201);
      response.getWriter().print("run " + run);
    };
  }

  private CompletableFuture<HttpResponse<String>> waitFor(Company company) throws Exception {
    var unused = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    CompletableFuture<HttpResponse<String>> waiter = company.send(WAITING, "k");
    untilADuplicateWaits();
    return waiter;
  }

  private void turnAway() throws Exception {
    AsyncContext first = held.get(0);
    ((jakarta.servlet.http.HttpServletResponse) first.getResponse()).setStatus(429);
    first.complete();
  }

  @ParameterizedTest
  @EnumSource
  void aTurnThatIsLostFreesTheKey(Fault fault) throws Exception {
    Company company = serve(List.of(faulty(fault, "start", "dispatch"), idempotency()), handler());
    CompletableFuture<HttpResponse<String>> waiter = waitFor(company);
    turnAway();

    HttpResponse<String> answer = waiter.get();
    if (fault == Fault.TWICE) {
      assertThat(answer.body()).isEqualTo("run 2");
    } else {
      assertThat(answer.statusCode()).isGreaterThanOrEqualTo(400);
    }
    HttpResponse<String> retry = company.post(WAITING, "k");
    assertThat(retry.statusCode()).as(retry.body()).isEqualTo(201);
    assertThat(retry.body()).isEqualTo("run 2");
    assertThat(runs).hasValue(2);
  }

  @ParameterizedTest
  @EnumSource
  void anAnswerThatIsLostIsNoSuccess(Fault fault) throws Exception {
    Company company = serve(List.of(faulty(fault, "start"), idempotency()), handler());
    CompletableFuture<HttpResponse<String>> waiter = waitFor(company);
    AsyncContext first = held.get(0);
    first.getResponse().getWriter().print("the first one");
    first.complete();

    HttpResponse<String> answer = waiter.get();
    if (answer.statusCode() < 300) {
      assertThat(answer.body()).isEqualTo("the first one");
    }
    assertThat(company.post(WAITING, "k").body()).isEqualTo("the first one");
    assertThat(runs).hasValue(1);
    until("nobody waits any more", () -> engine.waiters() == 0);
  }

  @Test
  void controlWithoutAFaultTheWaiterRuns() throws Exception {
    Company company = serve(List.of(idempotency()), handler());
    CompletableFuture<HttpResponse<String>> waiter = waitFor(company);
    turnAway();

    assertThat(waiter.get().body()).isEqualTo("run 2");
    assertThat(company.post(WAITING, "k").body()).isEqualTo("run 2");
  }
}
