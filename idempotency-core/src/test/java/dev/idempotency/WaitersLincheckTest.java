package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Test;

/**
 * Whether a wait always ends, and is always counted down, however waiting, waking, timing out and
 * cancelling interleave. Tasks run on the thread that hands them in, so that the order of threads
 * is the only thing that varies; time is advanced by running what was scheduled.
 */
class WaitersLincheckTest {

  /** Interleavings that each test explores: {@code -Dlincheck.scale=20} for a long form. */
  private static final int INVOCATIONS = 15 * Integer.getInteger("lincheck.scale", 1);

  private static final Duration LONG = Duration.ofHours(1);

  /** Runs tasks at once, and keeps the scheduled ones until they are due. */
  private static final class ManualThreads extends EngineThreads {

    private final Queue<CompletableFuture<Void>> scheduled = new ConcurrentLinkedQueue<>();

    @Override
    public void execute(Runnable task) {
      task.run();
    }

    @Override
    Future<?> schedule(Duration delay, Runnable quickTask) {
      CompletableFuture<Void> due = new CompletableFuture<>();
      var unused = due.thenRun(quickTask);
      scheduled.add(due);
      return due;
    }

    /** Runs what is scheduled now, not what that schedules. */
    void timePasses() {
      for (int left = scheduled.size(); left > 0; left--) {
        CompletableFuture<Void> due = scheduled.poll();
        if (due != null) {
          due.complete(null);
        }
      }
    }
  }

  /** A key in flight and those who wait for it. */
  private static final class Scene {

    final IdempotencyKey key = IdempotencyKey.of("key");
    final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create(new TestClock(), 10);
    final ManualThreads threads = new ManualThreads();
    final Waiters waiters = new Waiters(store, threads, Duration.ofMillis(200), 10);
    private final Lease lease;

    Scene() {
      Fingerprint fingerprint = Fingerprint.builder("test/1").add("transfer").build();
      Claim claim = store.claim(ClaimRequest.of(key, fingerprint, Duration.ofSeconds(30), LONG));
      lease = ((Claim.Acquired) claim).lease();
    }

    Optional<CompletableFuture<Waiters.Settled>> await() {
      return waiters.await(key, LONG);
    }

    void endAndWake() {
      var unused = store.release(lease);
      waiters.wake(key);
    }

    void isOver(Optional<CompletableFuture<Waiters.Settled>> wait) {
      check(wait.orElseThrow().isDone(), "a wait did not end");
      check(waiters.size() == 0, "the count is " + waiters.size() + " when nobody waits");
    }
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }

  private static void together(Runnable first, Runnable second) {
    Thread one = new Thread(first);
    Thread two = new Thread(second);
    one.start();
    two.start();
    try {
      one.join();
      two.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException("interrupted while both threads ran", e);
    }
  }

  @Test
  void aWaitThatMeetsTheEndOfItsKeyIsWokenOrFindsItAtTheNextSweep() {
    Lincheck.runConcurrentTest(
        INVOCATIONS,
        () -> {
          Scene scene = new Scene();
          var early = scene.await();
          CompletableFuture<Optional<CompletableFuture<Waiters.Settled>>> late =
              new CompletableFuture<>();
          together(() -> late.complete(scene.await()), scene::endAndWake);
          check(early.orElseThrow().isDone(), "a wait from before the end was not woken");
          scene.threads.timePasses();
          scene.isOver(late.join());
        });
  }

  @Test
  void aWaitThatTimesOutWhileItIsWokenEndsOnce() {
    Lincheck.runConcurrentTest(
        INVOCATIONS,
        () -> {
          Scene scene = new Scene();
          var first = scene.await();
          var second = scene.await();
          together(scene.threads::timePasses, scene::endAndWake);
          scene.isOver(first);
          scene.isOver(second);
        });
  }

  @Test
  void aWaitThatIsCancelledWhileAnotherBeginsDoesNotTakeItAlong() {
    Lincheck.runConcurrentTest(
        INVOCATIONS,
        () -> {
          Scene scene = new Scene();
          var cancelled = scene.await().orElseThrow();
          CompletableFuture<Optional<CompletableFuture<Waiters.Settled>>> other =
              new CompletableFuture<>();
          together(() -> cancelled.cancel(false), () -> other.complete(scene.await()));
          check(scene.waiters.size() == 1, "the count is " + scene.waiters.size() + ", not 1");
          scene.endAndWake();
          scene.isOver(other.join());
        });
  }

  /** Looks whether somebody waits, then registers: loses the wake-up in between. */
  private static final class LosesWakeUps {

    private final AtomicBoolean ended = new AtomicBoolean();
    private final Queue<CompletableFuture<Void>> waiting = new ConcurrentLinkedQueue<>();

    CompletableFuture<Void> await() {
      CompletableFuture<Void> wait = new CompletableFuture<>();
      if (ended.get()) {
        wait.complete(null);
      } else {
        waiting.add(wait);
      }
      return wait;
    }

    void end() {
      ended.set(true);
      for (CompletableFuture<Void> wait = waiting.poll(); wait != null; wait = waiting.poll()) {
        wait.complete(null);
      }
    }
  }

  @Test
  void aRegistryThatLosesAWakeUpIsFound() {
    assertThatThrownBy(
            () ->
                Lincheck.runConcurrentTest(
                    INVOCATIONS,
                    () -> {
                      LosesWakeUps registry = new LosesWakeUps();
                      CompletableFuture<CompletableFuture<Void>> wait = new CompletableFuture<>();
                      together(() -> wait.complete(registry.await()), registry::end);
                      check(wait.join().isDone(), "a wake-up was lost");
                    }))
        .satisfies(failure -> assertThat(failure.toString()).contains("a wake-up was lost"));
  }
}
