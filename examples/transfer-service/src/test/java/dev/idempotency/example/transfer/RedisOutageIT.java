package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.idempotency.testing.RedisProcess;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.junit.jupiter.api.Test;

class RedisOutageIT {

  /** Two attempts of 300 ms each, for connecting and for reading, and room for a busy machine. */
  private static final Duration BOUND = Duration.ofSeconds(3);

  @Test
  void withoutRedisTransfersAreRefusedInTimeAndWithItBackTheyGoOn() throws Exception {
    EmbeddedRedis redis = EmbeddedRedis.start();
    int port = redis.port();
    try (ServiceProcess service =
            ServiceProcess.start("--redis=" + redis.uri(), "--redis-timeout=300ms");
        GrpcCaller grpc = service.grpc()) {
      HttpCaller http = service.http();
      assertThat(http.create("before", HttpCaller.order(1)).statusCode()).isEqualTo(201);
      grpc.create(GrpcCaller.order("grpc-before", 1));

      redis.close();

      for (int i = 0; i < 10; i++) {
        String key = "during-" + i;
        long asked = System.nanoTime();
        HttpResponse<String> refused = http.create(key, HttpCaller.order(1));
        assertThat(refused.statusCode()).isEqualTo(503);
        assertThat(refused.headers().firstValue("Retry-After")).isPresent();
        assertThatExceptionOfType(StatusRuntimeException.class)
            .isThrownBy(() -> grpc.create(GrpcCaller.order("grpc-" + key, 1)))
            .satisfies(e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE));
        assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(BOUND.multipliedBy(2));
      }
      assertThat(http.balance("bob")).isEqualTo(2);

      redis = EmbeddedRedis.startOn(port);

      awaitService(http);
      grpc.create(GrpcCaller.order("grpc-during-0", 1));
      assertThat(http.balance("bob")).isEqualTo(4);
    } finally {
      redis.close();
    }
  }

  @Test
  void aFrozenRedisIsAsGoodAsNoneAndWhenItWakesNothingHasRunTwice() throws Exception {
    try (RedisProcess redis = RedisProcess.start();
        ServiceProcess service =
            ServiceProcess.start("--redis=" + redis.uri(), "--redis-timeout=300ms");
        GrpcCaller grpc = service.grpc()) {
      HttpCaller http = service.http();
      assertThat(http.create("before", HttpCaller.order(1)).statusCode()).isEqualTo(201);

      redis.pause();

      for (int i = 0; i < 3; i++) {
        String key = "during-" + i;
        long asked = System.nanoTime();
        assertThat(http.create(key, HttpCaller.order(1)).statusCode()).isEqualTo(503);
        assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(BOUND);
        asked = System.nanoTime();
        assertThatExceptionOfType(StatusRuntimeException.class)
            .isThrownBy(() -> grpc.create(GrpcCaller.order("grpc-" + key, 1)))
            .satisfies(e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE));
        assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(BOUND);
      }
      assertThat(http.balance("bob")).isEqualTo(1);

      redis.resume();

      awaitService(http);
      assertThat(http.create("during-0", HttpCaller.order(1)).statusCode()).isEqualTo(201);
      assertThat(http.balance("bob")).isEqualTo(2);
    }
  }

  /** A claim that a frozen Redis took on waking is in flight until it is given back. */
  private static void awaitService(HttpCaller http) throws Exception {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    int status = 503;
    while ((status == 503 || status == 409) && System.nanoTime() < deadline) {
      status = http.create("during-0", HttpCaller.order(1)).statusCode();
    }
    assertThat(status).isEqualTo(201);
  }
}
