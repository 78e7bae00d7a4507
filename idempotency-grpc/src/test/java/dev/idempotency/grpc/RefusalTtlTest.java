package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.testing.TestClock;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A method can keep refusals shorter than results; {@code Close} says ten minutes. */
class RefusalTtlTest {

  private static final Duration TTL = Duration.ofHours(24);

  private final TestClock clock = new TestClock();

  private static Status.Code code(WalletServer server) {
    return catchThrowableOfType(
            StatusRuntimeException.class, () -> server.client().close(WalletServer.request("k", 1)))
        .getStatus()
        .getCode();
  }

  @Test
  void refusalExpiresBeforeAResultDoes() throws Exception {
    try (WalletServer server =
        new WalletServer(
            Transport.IN_PROCESS,
            InMemoryIdempotencyStore.create(clock, 1000),
            IdempotencyConfig.builder().ttl(TTL).timeSource(clock).build(),
            settings -> settings,
            List.of(),
            unused -> {})) {
      server.wallet.answer =
          (effect, amount, observer) -> observer.onError(Status.ABORTED.asRuntimeException());
      assertThat(code(server)).isEqualTo(Status.Code.ABORTED);
      clock.advance(Duration.ofMinutes(9));
      assertThat(code(server)).isEqualTo(Status.Code.ABORTED);
      assertThat(server.wallet.effects).hasValue(1);

      server.wallet.answer = Wallet.PAID;
      clock.advance(Duration.ofMinutes(2));
      assertThat(server.client().close(WalletServer.request("k", 1)).getId()).isEqualTo("p-2");

      clock.advance(TTL.minusMinutes(1));
      assertThat(server.client().close(WalletServer.request("k", 1)).getId()).isEqualTo("p-2");
      assertThat(server.wallet.effects).hasValue(2);
    }
  }
}
