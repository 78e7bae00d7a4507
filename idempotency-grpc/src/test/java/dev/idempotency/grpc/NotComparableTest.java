package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A deploy changes what of a message is compared, while results of before are still stored. */
@Timeout(60)
class NotComparableTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();

  private WalletServer server(IdempotencyConfig config, boolean byDescriptor) throws Exception {
    MethodSettings opaque =
        MethodSettings.builder()
            .keyExtractor((PayRequest request) -> Optional.of(request.getIdempotencyKey()))
            .build();
    return new WalletServer(
        Transport.IN_PROCESS,
        store,
        config,
        settings ->
            byDescriptor ? settings : settings.policy("wallet.v1.WalletService/Pay", opaque),
        List.of(),
        unused -> {});
  }

  @Test
  void aCallThatCannotBeComparedIsToldThatTheFirstOneRan() throws Exception {
    try (WalletServer before = server(IdempotencyConfig.defaults(), true);
        WalletServer after = server(IdempotencyConfig.defaults(), false)) {
      assertThat(before.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");

      for (long amount : List.of(1L, 1_000_000L)) {
        StatusRuntimeException refused =
            catchThrowableOfType(
                StatusRuntimeException.class, () -> after.pay(WalletServer.request("k", amount)));
        assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_OUTCOME_UNKNOWN");
        assertThat(refused.getStatus().getDescription())
            .contains("ran", "nobody can tell whether this one is the same");
      }

      assertThat(after.wallet.effects).hasValue(0);
      assertThat(before.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }

  @Test
  void theApplicationMayReplayItForATime() throws Exception {
    IdempotencyConfig allowing =
        IdempotencyConfig.builder().replayNotComparableUntil(Instant.MAX).build();
    try (WalletServer before = server(IdempotencyConfig.defaults(), true);
        WalletServer after = server(allowing, false)) {
      assertThat(before.pay(WalletServer.request("k", 1)).replayed()).isFalse();

      assertThat(after.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }
}
