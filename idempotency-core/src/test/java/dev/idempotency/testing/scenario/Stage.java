package dev.idempotency.testing.scenario;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.testing.FlakyStore;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * A server on a store, and what a scenario needs to play on it: one after the other, each with a
 * handler and keys of its own.
 *
 * <p>The handler runs on the server's threads, everything else on the test's.
 */
public final class Stage implements AutoCloseable {

  /** Results above it are not kept, in bytes. */
  public static final int MAX_OUTCOME = 64 * 1024;

  private static final long PATIENCE = 20;

  private final FlakyStore store;
  private final IdempotencyEngine engine;
  private final Transport.Server server;
  private volatile AtomicInteger runs = new AtomicInteger();
  private volatile Transport.Handler handler = Work::fail;
  private volatile OutcomeResolver.Resolution truth = new OutcomeResolver.Resolution.Unknown();
  private volatile String prefix = "";

  /**
   * Starts the server.
   *
   * @param store closed with the stage
   */
  public Stage(Transport transport, IdempotencyStore store) throws Exception {
    this.store = FlakyStore.of(store);
    this.engine =
        IdempotencyEngine.create(
            this.store,
            IdempotencyConfig.builder()
                .maxOutcomeBytes(MAX_OUTCOME)
                .sweepEvery(Duration.ofMillis(50))
                .drainTimeout(Duration.ofSeconds(1))
                .resolver(unresolved -> truth)
                .build());
    this.server =
        transport.serve(
            engine,
            work -> {
              runs.incrementAndGet();
              handler.handle(work);
            });
  }

  /** Plays a scenario that the transport can play. */
  public void play(Scenario scenario) throws Exception {
    runs = new AtomicInteger();
    handler = Work::fail;
    truth = new OutcomeResolver.Resolution.Unknown();
    store.fault = FlakyStore.Fault.NONE;
    until("what the last scenario left behind is gone", () -> engine.pendingWrites() == 0);
    prefix = UUID.randomUUID().toString();
    scenario.play().on(this);
  }

  Transport.Server server() {
    return server;
  }

  IdempotencyEngine engine() {
    return engine;
  }

  /** The server, to ask what it cannot. */
  public Optional<String> cannot(Scenario scenario) {
    return server.cannot(scenario);
  }

  /** What the application does from now on. */
  void handler(Transport.Handler next) {
    handler = next;
  }

  /** The application answers each call with its count. */
  void countingHandler() {
    AtomicInteger count = runs;
    handler = work -> work.answer(bytes("result " + count.get()));
  }

  /** What the resolver says from now on. */
  void truth(OutcomeResolver.Resolution resolution) {
    truth = resolution;
  }

  void fault(FlakyStore.Fault fault) {
    store.fault = fault;
  }

  /** How often the application ran in this scenario. */
  int runs() {
    return runs.get();
  }

  /** A key of this scenario's own. */
  String key(String name) {
    return prefix + "-" + name;
  }

  /** A call with a key of this scenario's own. */
  Call call(String body) {
    return Call.with(key("k"), body);
  }

  CompletableFuture<Reply> send(Call call) {
    return server.send(call);
  }

  /** Sends, and waits for the answer. */
  Reply ask(Call call) throws Exception {
    return reply(send(call));
  }

  /** Waits for an answer. */
  Reply reply(CompletableFuture<Reply> sent) throws Exception {
    return sent.get(PATIENCE, SECONDS);
  }

  /** The application lets its threads go; the test ends each call when it likes. */
  Held hold() {
    Held held = new Held(new LinkedBlockingQueue<>());
    handler =
        work -> {
          work.detach(Duration.ofMinutes(1));
          held.queue.add(work);
        };
    return held;
  }

  /** Calls that run, and wait for the test. */
  record Held(BlockingQueue<Work> queue) {

    /** The next one that runs. */
    Work next() throws InterruptedException {
      Work work = queue.poll(PATIENCE, SECONDS);
      if (work == null) {
        throw new AssertionError("no call reached the handler within " + PATIENCE + " s");
      }
      return work;
    }
  }

  /** Looks until it is so. */
  void until(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + SECONDS.toNanos(PATIENCE);
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end > 0) {
        throw new AssertionError("not within " + PATIENCE + " s: " + what);
      }
      LockSupport.parkNanos(1_000_000);
    }
  }

  /** Text in UTF-8. */
  static byte[] bytes(String text) {
    return text.getBytes(UTF_8);
  }

  @Override
  public void close() throws Exception {
    store.fault = FlakyStore.Fault.NONE;
    try (store;
        engine) {
      server.close();
    }
  }
}
