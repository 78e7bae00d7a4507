package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletContext;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.eclipse.jetty.ee10.servlets.DoSFilter;
import org.eclipse.jetty.ee10.servlets.QoSFilter;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A filter in front suspends a request and dispatches it again, so that we see it as ASYNC. */
class SuspendedInFrontTest extends InCompany {

  /** How it is suspended. */
  enum Suspension {
    AT_ONCE(false, Runnable::run),
    ON_ANOTHER_THREAD(false, task -> new Thread(task).start()),
    WITH_ITS_REQUEST_AND_RESPONSE(true, Runnable::run);

    private final boolean wrapped;
    private final Executor executor;

    Suspension(boolean wrapped, Executor executor) {
      this.wrapped = wrapped;
      this.executor = executor;
    }

    /** As asynchronous authentication does. */
    Mapped filter() {
      return Mapped.asDocumented(
          (request, response, chain) -> {
            if (request.getAttribute("authenticated") != null) {
              chain.doFilter(request, response);
              return;
            }
            request.setAttribute("authenticated", true);
            AsyncContext context =
                wrapped ? request.startAsync(request, response) : request.startAsync();
            executor.execute(context::dispatch);
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void aRequestThatIsDispatchedAgainIsGuarded(Suspension suspension) throws Exception {
    Company company = serve(List.of(suspension.filter(), idempotency()), counting());

    assertKeyIsRequired(company, TRANSFERS);
    assertRunsOnce(company, TRANSFERS);
  }

  @ParameterizedTest
  @EnumSource
  void controlWithoutTheFilterItRunsEachTime(Suspension suspension) throws Exception {
    assertRunsEachTime(serve(List.of(suspension.filter()), counting()), TRANSFERS);
  }

  @Test
  void aDuplicateOfADispatchedRequestWaitsForItsAnswer() throws Exception {
    List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());
    Company company =
        serve(
            List.of(Suspension.ON_ANOTHER_THREAD.filter(), idempotency()),
            (request, response) -> {
              runs.incrementAndGet();
              response.setStatus(201);
              response.getWriter().print("held");
              held.add(request.startAsync());
            });

    CompletableFuture<?> first = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    var duplicate = company.send(WAITING, "k");
    untilADuplicateWaits();
    held.get(0).complete();

    assertThat(duplicate.get().body()).isEqualTo("held");
    assertThat(duplicate.get().statusCode()).isEqualTo(201);
    first.get();
    assertThat(runs).hasValue(1);
  }

  /** What a flood of requests does to them: all but the first are suspended, then dispatched. */
  @Test
  void jettysDoSFilterInFront() throws Exception {
    DoSFilter throttle = new DoSFilter();
    throttle.init(
        config(
            Map.of(
                "maxRequestsPerSec", "1",
                "delayMs", "20",
                "maxRequestMs", "30000",
                "managedAttr", "false")));
    assertFloodRunsOnce(throttle, 201, 409);
  }

  /**
   * It looks for who is queued before it lets the next one in, and queues who was not let in, with
   * nothing between the two. So it may forget one, until suspendMs is over: then it tries once
   * more, or answers 503.
   */
  @Test
  void jettysQoSFilterInFront() throws Exception {
    QoSFilter queue = new QoSFilter();
    queue.init(config(Map.of("maxRequests", "1", "waitMs", "0", "suspendMs", "500")));
    assertFloodRunsOnce(queue, 201, 409, 503);
  }

  private void assertFloodRunsOnce(Filter inFront, Integer... statuses) throws Exception {
    Company company =
        serve(List.of(Mapped.asDocumented(initialized(inFront)), idempotency()), counting());

    // All at once: Tomcat looks once a second for who was suspended for long enough.
    List<CompletableFuture<Integer>> withoutKey = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      withoutKey.add(company.send(TRANSFERS, null).thenApply(answer -> answer.statusCode()));
    }
    List<CompletableFuture<Integer>> all = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      all.add(company.send(TRANSFERS, "k").thenApply(answer -> answer.statusCode()));
    }
    for (CompletableFuture<Integer> each : withoutKey) {
      assertThat(each.get()).isIn(400, 503);
    }
    for (CompletableFuture<Integer> each : all) {
      assertThat(each.get()).isIn((Object[]) statuses);
    }
    assertThat(runs).hasValue(1);
    assertThat(company.post(TRANSFERS, "k").body()).isEqualTo("run 1 of a transfer");
  }

  /** Containers would give it their own, empty configuration. */
  private static Filter initialized(Filter filter) {
    return filter::doFilter;
  }

  private static FilterConfig config(Map<String, String> parameters) {
    ServletContext context =
        (ServletContext)
            java.lang.reflect.Proxy.newProxyInstance(
                ServletContext.class.getClassLoader(),
                new Class<?>[] {ServletContext.class},
                (proxy, method, arguments) -> null);
    return new FilterConfig() {
      @Override
      public String getFilterName() {
        return "in front";
      }

      @Override
      public ServletContext getServletContext() {
        return context;
      }

      @Override
      public String getInitParameter(String name) {
        return parameters.get(name);
      }

      @Override
      public Enumeration<String> getInitParameterNames() {
        return Collections.enumeration(parameters.keySet());
      }
    };
  }
}
