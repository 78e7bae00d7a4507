package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.TestClock;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One thing goes wrong at one step, for each step of a day in which everything is used: a call of
 * the store, an event of the listener, a question to the resolver, a line of the log, a timer, a
 * task for a thread. Whatever it is, and wherever: every wait ends, every outcome is stored or
 * reported, no key stays claimed of which nothing ran, and the engine goes on.
 */
@Timeout(120)
class MishapAtEveryStepTest {

  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration WAIT = Duration.ofSeconds(50);
  private static final Outcome OUTCOME = Outcome.of("test/1", new byte[] {1});

  /** Of requests that begin on this day, and do not end in doubt. */
  private static final List<String> KEYS =
      List.of("plain", "released", "slow", "early", "long", "refused", "lost reply", "after");

  /** More than the day has steps. */
  private static final int NEVER = 100_000;

  private enum Mishap {
    OUT_OF_MEMORY {
      @Override
      void happen(Day day) {
        throw new OutOfMemoryError("made up");
      }
    },
    CLASS_MISSING {
      @Override
      void happen(Day day) {
        throw new NoClassDefFoundError("made up");
      }
    },
    EXCEPTION {
      @Override
      void happen(Day day) {
        throw new IllegalStateException("made up");
      }
    },
    CLOSE {
      @Override
      void happen(Day day) {
        day.engine.close();
      }
    };

    abstract void happen(Day day);
  }

  /** The life of one engine, its application included, up to a step at which a mishap happens. */
  private static final class Day implements AutoCloseable {

    private final TestClock clock = new TestClock();
    private final ManualThreads threads = new ManualThreads(clock);
    private final FlakyStore store =
        FlakyStore.silent(InMemoryIdempotencyStore.create(clock, 100_000));
    private final EngineFixture.Recorder events = new EngineFixture.Recorder();
    private final Logger logger = Logger.getLogger(IdempotencyEngine.class.getName());
    private final Handler log = new StepHandler();
    private final Mishap mishap;
    private final int at;
    private final boolean roomy;
    private final IdempotencyEngine engine;

    private int steps;
    private boolean over;
    private String where = "never";
    private final Map<IdempotencyKey, OwnedExecution> owned = new HashMap<>();
    private final Set<IdempotencyKey> completed = new HashSet<>();
    private final Set<IdempotencyKey> doubtful = new HashSet<>();
    private final List<CompletableFuture<Decision>> waits = new ArrayList<>();

    Day(Mishap mishap, int at, int maxPending) {
      this.mishap = mishap;
      this.at = at;
      this.roomy = maxPending > 100;
      this.engine =
          IdempotencyEngine.create(
              store,
              IdempotencyConfig.builder()
                  .lease(LEASE)
                  .timeSource(clock)
                  .maxPending(maxPending)
                  .maxWaiters(8)
                  .sweepEvery(Duration.ofSeconds(2))
                  .drainTimeout(Duration.ofNanos(1))
                  .listener(listener())
                  .resolver(this::resolve)
                  .build(),
              threads);
      logger.addHandler(log);
      store.before = (verb, key) -> step("before " + verb);
      store.after = (verb, key) -> step("after " + verb);
      threads.onStep = this::step;
    }

    private IdempotencyListener listener() {
      return (IdempotencyListener)
          Proxy.newProxyInstance(
              getClass().getClassLoader(),
              new Class<?>[] {IdempotencyListener.class},
              (proxy, method, args) -> {
                try {
                  method.invoke(events, args);
                } catch (InvocationTargetException e) {
                  throw e.getCause();
                }
                step("event " + method.getName());
                return null;
              });
    }

    private OutcomeResolver.Resolution resolve(OutcomeResolver.Unresolved question) {
      step("resolver");
      return switch (question.key().value()) {
        case "ran" -> new OutcomeResolver.Resolution.Completed(OUTCOME);
        case "ran not" -> new OutcomeResolver.Resolution.NotExecuted();
        default -> new OutcomeResolver.Resolution.Unknown();
      };
    }

    private final class StepHandler extends Handler {

      @Override
      public void publish(LogRecord entry) {
        step("log " + entry.getLevel());
      }

      @Override
      public void flush() {}

      @Override
      public void close() {}
    }

    private void step(String what) {
      if (!over && steps++ == at) {
        where = what;
        mishap.happen(this);
      }
    }

    /** Application code, which may meet what goes wrong, and survives it. */
    private void app(Runnable code) {
      try {
        code.run();
      } catch (OutOfMemoryError | NoClassDefFoundError | IllegalStateException e) {
        assertThat(e).hasMessage("made up");
      }
    }

    private void begin(String key) {
      app(() -> note(key, engine.begin(operation(key))));
    }

    private void await(String key) {
      app(
          () -> {
            CompletableFuture<Decision> wait = engine.beginOrWait(operation(key), WAIT);
            waits.add(wait);
            var unused = wait.thenAccept(decision -> note(key, decision));
          });
    }

    private void note(String key, Decision decision) {
      if (decision instanceof Decision.Proceed proceed) {
        IdempotencyKey owns = operation(key).key();
        assertThat(owned.put(owns, proceed.execution())).as("owner of %s", key).isNull();
        assertThat(completed).as("executed again").doesNotContain(owns);
        assertThat(doubtful).as("executed again").doesNotContain(owns);
      }
    }

    private void complete(IdempotencyKey key) {
      OwnedExecution execution = owned.remove(key);
      if (execution != null) {
        completed.add(key);
        app(() -> execution.complete(OUTCOME));
      }
    }

    private void complete(String key) {
      complete(operation(key).key());
    }

    private void release(String key) {
      OwnedExecution execution = owned.remove(operation(key).key());
      if (execution != null) {
        app(execution::release);
      }
    }

    private void endInDoubt(String key) {
      OwnedExecution execution = owned.remove(operation(key).key());
      if (execution != null) {
        doubtful.add(execution.key());
        app(execution::inDoubt);
      }
    }

    private void abandonElsewhere(String... keys) {
      for (String key : keys) {
        Lease lease = EngineFixture.claim(store, operation(key));
        store.abandon(lease);
      }
    }

    /** Everything that an engine is for, with an outage in the middle. */
    void pass() {
      over = true;
      abandonElsewhere("ran", "ran not", "unknown");
      Lease elsewhere = EngineFixture.claim(store, operation("elsewhere"));
      over = false;
      begin("plain");
      begin("released");
      begin("doubtful");
      begin("slow");
      await("plain");
      await("plain");
      await("released");
      await("released");
      await("doubtful");
      await("elsewhere");
      begin("ran");
      await("ran not");
      await("unknown");
      complete("plain");
      release("released");
      endInDoubt("doubtful");
      threads.advance(Duration.ofSeconds(1));
      complete("released");
      app(() -> store.complete(elsewhere, OUTCOME));
      threads.advance(LEASE);
      begin("early");
      begin("long");
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      begin("refused");
      complete("slow");
      release("ran not");
      threads.advance(LEASE.dividedBy(2));
      store.fault = FlakyStore.Fault.REPLY_LOST;
      begin("lost reply");
      complete("early");
      threads.advance(LEASE);
      store.fault = FlakyStore.Fault.NONE;
      begin("after");
      await("after");
      threads.advance(LEASE);
      complete("after");
      complete("long");
      threads.advance(Duration.ofSeconds(1));
    }

    /** Nothing goes wrong any more; whoever still owns a key ends it. */
    void settle() {
      over = true;
      for (int round = 0; round < 6; round++) {
        threads.advance(Duration.ofSeconds(20));
        List.copyOf(owned.keySet()).forEach(this::complete);
      }
    }

    void assertSettled() {
      String step = mishap + " at step " + at + ": " + where;
      assertThat(waits).as(step).allMatch(CompletableFuture::isDone);
      assertThat(engine.waiters()).as(step).isZero();
      assertThat(engine.pendingWrites()).as(step).isZero();
      for (IdempotencyKey key : completed) {
        assertThat(record(key) instanceof StoredRecord.Completed || isReportedLost(key))
            .as(step + ": the outcome of " + key.value() + " is stored or reported")
            .isTrue();
      }
      // A release that finds no room, or no engine any more, is given up with a line in the log.
      if (roomy && !engine.isClosed()) {
        for (String key : KEYS) {
          assertNotClaimed(key, step);
        }
        assertThat(events.names).as(step).doesNotContain("lost");
      }
    }

    private StoredRecord record(IdempotencyKey key) {
      return store.find(List.of(key)).get(0).orElse(null);
    }

    private boolean isReportedLost(IdempotencyKey key) {
      return events.lost.contains(key);
    }

    private void assertNotClaimed(String key, String step) {
      IdempotencyKey each = operation(key).key();
      if (!completed.contains(each)) {
        assertThat(store.states(List.of(each)))
            .as(step + ": nothing ran of " + key)
            .isSubsetOf(RecordState.ABSENT, RecordState.RELEASED);
      }
    }

    /** The engine does for others what it did before. */
    void assertGoesOn() {
      String step = mishap + " at step " + at + ": " + where;
      begin("next day");
      Lease elsewhere = EngineFixture.claim(store, operation("next day, elsewhere"));
      await("next day, elsewhere");
      threads.advance(LEASE.dividedBy(2));
      store.complete(elsewhere, OUTCOME);
      threads.advance(Duration.ofSeconds(5));
      assertThat(waits.get(waits.size() - 1).getNow(null))
          .as(step + ": sweeping goes on")
          .isInstanceOf(Decision.Replay.class);
      threads.advance(LEASE.multipliedBy(3));
      assertThat(owned.get(operation("next day").key()).isLeaseAlive())
          .as(step + ": renewing goes on")
          .isTrue();
      store.fault = FlakyStore.Fault.REQUEST_LOST;
      complete("next day");
      store.fault = FlakyStore.Fault.NONE;
      threads.advance(Duration.ofSeconds(10));
      assertThat(record(operation("next day").key()))
          .as(step + ": the backlog goes on")
          .isInstanceOf(StoredRecord.Completed.class);
    }

    @Override
    public void close() {
      logger.removeHandler(log);
    }
  }

  private static Operation operation(String key) {
    return Operation.of(
        IdempotencyKey.of(key), Fingerprint.builder("test/1").add("transfer").build());
  }

  @Test
  void aDayWithoutMishapsUsesEverything() {
    try (Day day = new Day(Mishap.EXCEPTION, NEVER, 1_000)) {
      day.pass();
      day.settle();

      day.assertSettled();
      day.assertGoesOn();
      assertThat(day.steps).isGreaterThan(300);
      assertThat(day.events.names)
          .contains(
              "completion RECORDED",
              "release",
              "inDoubt HOLD",
              "unrecorded",
              "late RECORDED",
              "takeover reexecution=false",
              "leaseLost");
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"OUT_OF_MEMORY", "CLOSE"})
  void whereverItHappensTheEngineSettlesAndGoesOn(Mishap mishap) {
    everyStep(mishap, 1_000);
  }

  @Test
  @Tag("soak")
  void whateverItIsAndHoweverFullTheQueuesAreTheEngineSettles() {
    for (Mishap mishap : Mishap.values()) {
      for (int maxPending : new int[] {1, 2, 1_000}) {
        everyStep(mishap, maxPending);
      }
    }
  }

  private static void everyStep(Mishap mishap, int maxPending) {
    Logger root = Logger.getLogger(IdempotencyEngine.class.getName());
    root.setUseParentHandlers(false);
    root.setLevel(Level.INFO);
    try {
      List<String> wrong = new ArrayList<>();
      int steps = 1;
      for (int at = 0; at < steps; at++) {
        try (Day day = new Day(mishap, at, maxPending)) {
          day.pass();
          steps = Math.max(steps, day.steps);
          day.settle();
          day.assertSettled();
          if (!day.engine.isClosed()) {
            day.assertGoesOn();
          }
        } catch (AssertionError e) {
          wrong.add(e.getMessage());
        }
      }
      assertThat(wrong).isEmpty();
    } finally {
      root.setUseParentHandlers(true);
      root.setLevel(null);
    }
  }
}
