package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.http.HttpResponse;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The store fails while the server runs; the control is the same server with the store back. */
class StoreDownTest {

  private final AtomicReference<StoreException.Reason> failure = new AtomicReference<>();
  private volatile TestServer running;
  private volatile boolean sentBeforeStored = true;
  private volatile boolean fencedOff;
  private volatile boolean cannotComplete;
  private volatile boolean cannotAbandon;
  private final AtomicInteger runs = new AtomicInteger();

  private IdempotencyStore breakable(IdempotencyStore store) {
    return (IdempotencyStore)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {IdempotencyStore.class},
            (proxy, method, arguments) -> {
              if (failure.get() != null && method.getName().equals("claim")) {
                throw new StoreException(failure.get(), "made up");
              }
              if (method.getName().equals("complete")) {
                sentBeforeStored = running.hasSent();
              }
              if (fencedOff && method.getName().equals("complete")) {
                return new CompleteResult.FencedOff(Optional.empty());
              }
              if (cannotComplete && method.getName().equals("complete")) {
                throw new StoreException(StoreException.Reason.UNAVAILABLE, "made up");
              }
              if (cannotAbandon && method.getName().equals("abandon")) {
                throw new OutOfMemoryError("made up");
              }
              try {
                return method.invoke(store, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void with(UnaryOperator<IdempotencyFilterBuilder> filter, Check check) throws Exception {
    try (IdempotencyStore store = breakable(InMemoryIdempotencyStore.create());
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults());
        TestServer server =
            new TestServer(
                filter.apply(TestServer.everything(engine)).build(),
                (request, response) -> {
                  runs.incrementAndGet();
                  String line = request.getReader().readLine();
                  if (line.equals("throw")) {
                    throw new IllegalArgumentException("of the handler");
                  }
                  response.getWriter().print(line);
                  response.flushBuffer();
                })) {
      running = server;
      check.on(server);
    }
  }

  @FunctionalInterface
  private interface Check {
    void on(TestServer server) throws Exception;
  }

  @Test
  void aFailingStoreMeans503AndNothingRuns() throws Exception {
    with(
        UnaryOperator.identity(),
        server -> {
          failure.set(StoreException.Reason.UNAVAILABLE);
          HttpResponse<String> down = server.post("a", "k");
          assertThat(down.statusCode()).isEqualTo(503);
          assertThat(down.body()).contains("store-unavailable");
          assertThat(down.headers().firstValue("Retry-After")).contains("1");
          assertThat(runs).hasValue(0);

          failure.set(null);
          assertThat(server.post("a", "k2").body()).isEqualTo("a");
          assertThat(runs).hasValue(1);
        });
  }

  @Test
  void theOutcomeIsStoredBeforeTheFirstByteLeavesWhateverTheHandlerFlushes() throws Exception {
    with(
        UnaryOperator.identity(),
        server -> {
          assertThat(server.post("a", "k").body()).isEqualTo("a");
          assertThat(sentBeforeStored).isFalse();
        });
  }

  @Test
  void failOpenRunsAndSaysSo() throws Exception {
    with(
        IdempotencyFilterBuilder::failOpen,
        server -> {
          failure.set(StoreException.Reason.UNAVAILABLE);
          HttpResponse<String> down = server.post("a", "k");
          assertThat(down.body()).isEqualTo("a");
          assertThat(down.headers().firstValue("Idempotent-Unprotected")).contains("true");

          failure.set(null);
          HttpResponse<String> up = server.post("a", "k2");
          assertThat(up.headers().firstValue("Idempotent-Unprotected")).isEmpty();
        });
  }

  @Test
  void aFencedOffHandlerDoesNotAnswerAsIfItWereTrue() throws Exception {
    with(
        UnaryOperator.identity(),
        server -> {
          fencedOff = true;
          HttpResponse<String> fenced = server.post("a", "k");
          assertThat(fenced.statusCode()).isEqualTo(409);
          assertThat(fenced.body()).contains("outcome-unknown");

          fencedOff = false;
          assertThat(server.post("a", "k2").body()).isEqualTo("a");
        });
  }

  @Test
  void anOutcomeThatIsStoredLaterIsAnsweredNowAndARetryDoesNotRunMeanwhile() throws Exception {
    with(
        filter -> filter.everyRoute(RoutePolicy.optional().rejectInFlight()),
        server -> {
          cannotComplete = true;
          assertThat(server.post("a", "k").body()).isEqualTo("a");
          assertThat(server.post("a", "k").statusCode()).isEqualTo(409);
          assertThat(runs).hasValue(1);
          cannotComplete = false;
        });
  }

  @Test
  void whatTheHandlerThrewIsNotLostWhereItsEndCannotBeStoredEither() throws Exception {
    cannotAbandon = true;
    with(
        UnaryOperator.identity(),
        server -> {
          server.post("throw", "k");
          assertThat(server.thrown())
              .isInstanceOf(IllegalArgumentException.class)
              .hasSuppressedException(new OutOfMemoryError("made up"));
        });
  }

  @Test
  void failOpenNeverRunsOnADamagedRecord() throws Exception {
    with(
        IdempotencyFilterBuilder::failOpen,
        server -> {
          failure.set(StoreException.Reason.CORRUPT);
          assertThat(server.post("a", "k").statusCode()).isEqualTo(503);
          assertThat(runs).hasValue(0);
        });
  }

  @ParameterizedTest
  @EnumSource(names = {"CORRUPT", "NEWER_FORMAT", "STALE"})
  void aRecordThatOnlyAnOperatorCanRepairIsAskedForOnceAMinute(StoreException.Reason reason)
      throws Exception {
    with(
        UnaryOperator.identity(),
        server -> {
          failure.set(reason);
          assertThat(server.post("a", "k").headers().firstValue("Retry-After")).contains("60");
        });
  }
}
