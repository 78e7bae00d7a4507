package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The filter is registered for requests alone, as Spring Boot registers a bean that is a filter.
 */
class RegisteredForRequestsTest extends InCompany {

  /** As frameworks do for a Callable or a DeferredResult: the result is rendered in a dispatch. */
  private Handler rendersInDispatch() {
    return (request, response) -> {
      if (request.getDispatcherType() == DispatcherType.ASYNC) {
        response.setStatus(201);
        response.getWriter().print("run " + runs.get() + " of a transfer");
      } else {
        runs.incrementAndGet();
        AsyncContext async = request.startAsync(request, response);
        async.start(async::dispatch);
      }
    };
  }

  private List<Mapped> requestsAlone() {
    return List.of(Mapped.forRequests(filter()));
  }

  @Test
  void anAsynchronousHandlerRunsOnceAndIsAnswered() throws Exception {
    assertRunsOnce(serve(requestsAlone(), rendersInDispatch()), TRANSFERS);
  }

  @Test
  void controlWithoutTheFilterItRunsEachTime() throws Exception {
    assertRunsEachTime(serve(List.of(), rendersInDispatch()), TRANSFERS);
  }

  @Test
  void aForwardInFrontIsGuarded() throws Exception {
    Mapped rewriting =
        Mapped.forRequests(
            (request, response, chain) ->
                request.getRequestDispatcher(TRANSFERS).forward(request, response));
    Company company = serve(List.of(rewriting, Mapped.forRequests(filter())), counting());

    assertKeyIsRequired(company, "/legacy");
    assertRunsOnce(company, "/legacy");
  }

  @Test
  void aWaiterWhoseTurnComesRuns() throws Exception {
    List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());
    Company company =
        serve(
            requestsAlone(),
            (request, response) -> {
              int run = runs.incrementAndGet();
              if (run == 1) {
                response.setStatus(429);
                held.add(request.startAsync());
              } else {
                response.getWriter().print("run " + run);
              }
            });
    var unused = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    CompletableFuture<HttpResponse<String>> waiter = company.send(WAITING, "k");
    untilADuplicateWaits();
    held.get(0).complete();

    assertThat(waiter.get().body()).isEqualTo("run 2");
    assertThat(company.post(WAITING, "k").body()).isEqualTo("run 2");
    assertThat(runs).hasValue(2);
  }

  /** A proxy in front that no container knows as ours, such as Spring's DelegatingFilterProxy. */
  private static Filter hidden(IdempotencyFilter filter) {
    return filter::doFilter;
  }

  /** There nobody can map it; what can be had is that it is no success, and nothing runs twice. */
  @Test
  void behindAProxyForRequestsAloneItIsAnErrorAndNothingRunsTwice() throws Exception {
    Company company = serve(List.of(Mapped.forRequests(hidden(filter()))), rendersInDispatch());

    assertThat(company.post(TRANSFERS, "k").statusCode()).isGreaterThanOrEqualTo(500);
    assertEndsInDoubt(company, TRANSFERS);
    assertThat(runs).hasValue(1);
  }

  @Test
  void aTurnThatRunsPastAProxyForRequestsAloneIsNotRunAgain() throws Exception {
    List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());
    Company company =
        serve(
            List.of(Mapped.forRequests(hidden(filter()))),
            (request, response) -> {
              if (runs.incrementAndGet() == 1) {
                response.setStatus(429);
                held.add(request.startAsync());
              }
            });
    var unused = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    CompletableFuture<HttpResponse<String>> waiter = company.send(WAITING, "k");
    untilADuplicateWaits();
    held.get(0).complete();

    assertThat(waiter.get().statusCode()).isGreaterThanOrEqualTo(500);
    assertThat(company.post(WAITING, "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(2);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void behindAProxyThatIsRegisteredAsDocumentedItRunsOnce(boolean dispatches) throws Exception {
    Company company =
        serve(
            List.of(Mapped.asDocumented(hidden(filter()))),
            dispatches ? rendersInDispatch() : counting());

    assertRunsOnce(company, TRANSFERS);
  }
}
