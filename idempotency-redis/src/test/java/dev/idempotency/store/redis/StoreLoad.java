package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import redis.clients.jedis.Protocol;

/** Work for a store that must not notice a fault. */
record StoreLoad(RedisIdempotencyStore store, DirectClient direct) {

  /** Several threads go through whole cycles while the fault happens again and again. */
  void during(Runnable fault) throws Exception {
    int workers = 4;
    ExecutorService threads = Executors.newFixedThreadPool(workers);
    AtomicBoolean done = new AtomicBoolean();
    try {
      List<Future<Integer>> cycles = new ArrayList<>();
      for (int i = 0; i < workers; i++) {
        cycles.add(threads.submit(() -> cycle(done)));
      }
      for (int i = 0; i < 200; i++) {
        fault.run();
      }
      done.set(true);
      for (Future<Integer> each : cycles) {
        assertThat(each.get()).isPositive();
      }
    } finally {
      done.set(true);
      threads.shutdownNow();
    }
  }

  private int cycle(AtomicBoolean done) {
    int count = 0;
    do {
      IdempotencyKey each = RedisFixture.freshKey();
      Lease lease = RedisFixture.acquire(store, RedisFixture.request(each));
      assertThat(store.claim(RedisFixture.request(each))).isInstanceOf(StoredRecord.InFlight.class);
      assertThat(store.renew(lease)).isPresent();
      assertThat(store.complete(lease, RedisFixture.OUTCOME))
          .isEqualTo(new CompleteResult.Recorded());
      count++;
    } while (!done.get());
    return count;
  }

  /**
   * Makes the store keep several idle connections. How many one burst opens depends on how fast the
   * first are given back, so bursts go on until the server counts enough.
   */
  void warmConnections() throws Exception {
    int burst = 16;
    ExecutorService threads = Executors.newFixedThreadPool(burst);
    try {
      long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
      while (connections() <= 4) {
        assertThat(System.nanoTime()).as("the store keeps connections").isLessThan(deadline);
        burstOfLooks(threads, burst);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private void burstOfLooks(ExecutorService threads, int burst) throws Exception {
    CyclicBarrier together = new CyclicBarrier(burst);
    List<Future<?>> looks = new ArrayList<>();
    for (int i = 0; i < burst; i++) {
      looks.add(
          threads.submit(
              () -> {
                together.await();
                return store.find(List.of(RedisFixture.freshKey()));
              }));
    }
    for (Future<?> look : looks) {
      look.get();
    }
  }

  private long connections() {
    byte[] list = (byte[]) direct.sendCommand(Protocol.Command.CLIENT, "LIST", "TYPE", "normal");
    return new String(list, UTF_8).lines().count();
  }
}
