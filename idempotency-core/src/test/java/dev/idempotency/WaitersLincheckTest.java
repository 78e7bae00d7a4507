package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import org.jetbrains.lincheck.Lincheck;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Whether a wait always ends, and is always counted down, however waiting, waking, timing out and
 * cancelling interleave. Tasks run on the thread that hands them in, so that the order of threads
 * is the only thing that varies; time is advanced by running what was scheduled.
 */
class WaitersLincheckTest {

  /** Interleavings that each test explores: {@code -Dlincheck.scale=20} for a long form. */
  private static final int INVOCATIONS = 15 * Integer.getInteger("lincheck.scale", 1);

  private static final int ROUNDS = 200;
  private static final Duration LONG = Duration.ofHours(1);

  /** Runs tasks at once, and keeps the scheduled ones until they are due. */
  private static final class ManualThreads extends EngineThreads {

    private record Timer(Duration delay, CompletableFuture<Void> due) {}

    private final Queue<Timer> scheduled = new ConcurrentLinkedQueue<>();

    @Override
    boolean run(Work work, Runnable task) {
      runSafely(task);
      return true;
    }

    @Override
    Future<?> schedule(Duration delay, Runnable quickTask) {
      CompletableFuture<Void> due = new CompletableFuture<>();
      var unused = due.thenRun(quickTask);
      scheduled.add(new Timer(delay, due));
      return due;
    }

    @Override
    void every(Duration period, Runnable quickTask) {}

    /** Runs the sweep that is scheduled now. */
    void sweepIsDue() {
      runThose(timer -> timer.delay.compareTo(Duration.ofSeconds(1)) < 0);
    }

    /** Runs the timeouts of waits that are scheduled now; renewals are not what varies here. */
    void waitsTimeOut() {
      runThose(timer -> timer.delay.compareTo(Duration.ofMinutes(1)) > 0);
    }

    private void runThose(Predicate<Timer> isDue) {
      for (int left = scheduled.size(); left > 0; left--) {
        Timer timer = scheduled.poll();
        if (timer != null && isDue.test(timer)) {
          timer.due.complete(null);
        }
      }
    }

    @Override
    void close() {}
  }

  /** A key in flight and those who wait for it. */
  private static final class Scene {

    final ManualThreads threads = new ManualThreads();
    final IdempotencyEngine engine;
    private final Operation operation =
        Operation.of(
            IdempotencyKey.of("key"), Fingerprint.builder("test/1").add("transfer").build());
    private final OwnedExecution running;

    Scene() {
      TestClock clock = new TestClock();
      engine =
          IdempotencyEngine.create(
              InMemoryIdempotencyStore.create(clock, 10),
              IdempotencyConfig.builder().timeSource(clock).build(),
              threads);
      running = ((Decision.Proceed) engine.begin(operation)).execution();
    }

    CompletableFuture<Decision> await() {
      return engine.beginOrWait(operation, LONG);
    }

    void complete() {
      Completion unused = running.complete(Outcome.of("test/1", new byte[1]));
    }

    void isOver(CompletableFuture<Decision> wait) {
      check(wait.isDone(), "a wait did not end");
      check(engine.waiters() == 0, "the count is " + engine.waiters() + " when nobody waits");
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

  private static void meetsTheEndOfItsKey() {
    Scene scene = new Scene();
    var early = scene.await();
    CompletableFuture<CompletableFuture<Decision>> late = new CompletableFuture<>();
    together(() -> late.complete(scene.await()), scene::complete);
    check(early.isDone(), "a wait from before the end was not woken");
    scene.threads.sweepIsDue();
    scene.isOver(late.join());
  }

  private static void timesOutWhileItIsWoken() {
    Scene scene = new Scene();
    var first = scene.await();
    var second = scene.await();
    together(scene.threads::waitsTimeOut, scene::complete);
    scene.isOver(first);
    scene.isOver(second);
  }

  private static void isCancelledWhileAnotherBegins() {
    Scene scene = new Scene();
    var cancelled = scene.await();
    CompletableFuture<CompletableFuture<Decision>> other = new CompletableFuture<>();
    together(() -> cancelled.cancel(false), () -> other.complete(scene.await()));
    check(scene.engine.waiters() == 1, "the count is " + scene.engine.waiters() + ", not 1");
    scene.complete();
    scene.isOver(other.join());
  }

  private static void beginsWhileTheEngineCloses() {
    Scene scene = new Scene();
    var early = scene.await();
    CompletableFuture<CompletableFuture<Decision>> late = new CompletableFuture<>();
    together(() -> late.complete(scene.await()), scene.engine::close);
    scene.isOver(early);
    scene.isOver(late.join());
  }

  /** On real threads, in many rounds. */
  private static void often(Runnable scenario) {
    repeat(ROUNDS, scenario);
  }

  private static void repeat(int rounds, Runnable scenario) {
    for (int round = 0; round < rounds; round++) {
      scenario.run();
    }
  }

  @Test
  void aWaitThatMeetsTheEndOfItsKeyIsWokenOrFindsItAtTheNextSweep() {
    often(WaitersLincheckTest::meetsTheEndOfItsKey);
  }

  @Test
  void aWaitThatTimesOutWhileItIsWokenEndsOnce() {
    often(WaitersLincheckTest::timesOutWhileItIsWoken);
  }

  @Test
  void aWaitThatIsCancelledWhileAnotherBeginsDoesNotTakeItAlong() {
    often(WaitersLincheckTest::isCancelledWhileAnotherBegins);
  }

  @Test
  void aWaitThatBeginsWhileTheEngineClosesEnds() {
    often(WaitersLincheckTest::beginsWhileTheEngineCloses);
  }

  @Test
  @Tag("soak")
  void everyScenarioHoldsVeryOftenOnRealThreads() {
    List.<Runnable>of(
            WaitersLincheckTest::meetsTheEndOfItsKey,
            WaitersLincheckTest::timesOutWhileItIsWoken,
            WaitersLincheckTest::isCancelledWhileAnotherBegins,
            WaitersLincheckTest::beginsWhileTheEngineCloses)
        .forEach(scenario -> repeat(100 * ROUNDS, scenario));
  }

  /**
   * The same, in interleavings that Lincheck chooses. It calls an invocation hung after 10 s of
   * wall clock, in which it also has to instrument the engine's classes: on a loaded machine that
   * alone takes longer, so this is for machines that have nothing else to do.
   */
  @Test
  @Tag("soak")
  void everyScenarioHoldsInTheInterleavingsThatLincheckChooses() {
    List.<Runnable>of(
            WaitersLincheckTest::meetsTheEndOfItsKey,
            WaitersLincheckTest::isCancelledWhileAnotherBegins,
            WaitersLincheckTest::beginsWhileTheEngineCloses)
        .forEach(scenario -> Lincheck.runConcurrentTest(INVOCATIONS, scenario::run));
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
  @Tag("soak")
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
