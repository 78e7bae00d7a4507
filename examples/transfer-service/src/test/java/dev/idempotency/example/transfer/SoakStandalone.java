package dev.idempotency.example.transfer;

import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.Random;

/** One Redis that is killed and restarted. */
record SoakStandalone(RedisProcess redis) implements SoakRedis {

  static final String KILLED = "Redis killed (SIGKILL) and restarted";

  @Override
  public String uri() {
    return redis.uri();
  }

  @Override
  public SoakFaults faults(Random random) {
    return new SoakFaults(SoakFaults.Rhythm.REGULAR, Duration.ofSeconds(8), random)
        .add(
            KILLED,
            dice -> {
              redis.kill();
              SoakFaults.pass(dice, Duration.ofSeconds(1));
              redis.restart();
            });
  }

  @Override
  public void close() {
    redis.close();
  }
}
