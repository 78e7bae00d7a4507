package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What ends an execution that no thread holds; its timer is turned by hand. */
@Timeout(20)
class LateEndsTest {

  /** Keeps what is scheduled, until the test runs it. */
  private static final class ManualTimer extends ScheduledThreadPoolExecutor {
    private final List<Runnable> scheduled = new ArrayList<>();

    ManualTimer() {
      super(0);
    }

    @Override
    public ScheduledFuture<?> schedule(Runnable task, long delay, TimeUnit unit) {
      scheduled.add(task);
      return super.schedule(() -> {}, 1, TimeUnit.DAYS);
    }

    void turn() {
      List.copyOf(scheduled).forEach(Runnable::run);
    }
  }

  private final ManualTimer timer = new ManualTimer();
  private final LateEnds lateEnds = new LateEnds(timer);
  private final List<String> ended = new ArrayList<>();

  @Test
  void anExecutionThatNobodyEndsIsEndedOnce() {
    lateEnds.after(Duration.ofSeconds(1), () -> ended.add("a"));
    timer.turn();
    timer.turn();
    assertThat(ended).containsExactly("a");
  }

  @Test
  void oneThatIsHeldAgainIsNot() {
    lateEnds.after(Duration.ofSeconds(1), () -> ended.add("a")).callOff();
    timer.turn();
    assertThat(ended).isEmpty();
  }

  @Test
  void anErrorInOneEndsTheOthersAllTheSame() {
    lateEnds.after(
        Duration.ofSeconds(1),
        () -> {
          throw new OutOfMemoryError("made up");
        });
    lateEnds.after(Duration.ofSeconds(1), () -> ended.add("b"));
    timer.turn();
    assertThat(ended).containsExactly("b");
  }

  @Test
  void aDestroyedFilterEndsAtOnceWhatWasNotReachedAndLetsHandlersGoOn() {
    lateEnds.after(Duration.ofSeconds(1), () -> ended.add("works"));
    lateEnds.afterOrWhenDestroyed(Duration.ofSeconds(1), () -> ended.add("not reached"));
    lateEnds.destroy();
    assertThat(ended).containsExactly("not reached");
    lateEnds.afterOrWhenDestroyed(Duration.ofSeconds(1), () -> ended.add("too late"));
    assertThat(ended).containsExactly("not reached", "too late");
    timer.turn();
    assertThat(ended).containsExactly("not reached", "too late", "works");
  }

  /** Ending blocks on the store; the common pool is for what does not. */
  @Test
  void itHasAThreadOfItsOwn() throws Exception {
    AtomicReference<String> thread = new AtomicReference<>();
    CountDownLatch done = new CountDownLatch(1);
    new LateEnds()
        .after(
            Duration.ZERO,
            () -> {
              thread.set(Thread.currentThread().getName());
              done.countDown();
            });
    done.await();
    assertThat(thread).hasValue("idempotency-late-ends");
  }
}
