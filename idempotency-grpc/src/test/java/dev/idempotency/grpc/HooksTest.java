package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.Admission;
import dev.idempotency.grpc.WalletServer.Transport;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * What the application decides of a call with a key: whether it is admitted, and sees an answer.
 */
@Timeout(60)
class HooksTest {

  private static StatusRuntimeException failed(WalletServer server, String key) {
    return catchThrowableOfType(
        StatusRuntimeException.class, () -> server.client().pay(WalletServer.request(key, 1)));
  }

  @Test
  void aCallerWhoseShareIsUsedUpIsRefusedBeforeAnythingRuns() throws Exception {
    List<String> scopes = new CopyOnWriteArrayList<>();
    AtomicReference<Admission> admission = new AtomicReference<>(Admission.granted());
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            settings ->
                settings
                    .scopeByMetadata("x-tenant")
                    .admission(
                        (scope, call, headers) -> {
                          scopes.add(scope);
                          return admission.get();
                        }))) {
      server.client(WalletServer.metadata("x-tenant", "a")).pay(WalletServer.request("k1", 1));
      admission.set(Admission.quotaExceeded(Duration.ofMillis(1500)));
      StatusRuntimeException quota = failed(server, "k2");
      admission.set(Admission.overloaded(Duration.ofSeconds(2)));
      StatusRuntimeException overloaded = failed(server, "k3");

      assertThat(quota.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
      assertThat(WalletServer.reason(quota)).isEqualTo("IDEMPOTENCY_QUOTA_EXCEEDED");
      assertThat(quota.getTrailers().get(OwnAnswer.PUSHBACK)).isEqualTo("1500");
      assertThat(overloaded.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
      assertThat(WalletServer.reason(overloaded)).isEqualTo("IDEMPOTENCY_OVERLOADED");
      assertThat(server.wallet.effects).hasValue(1);
      assertThat(scopes).hasSize(3);
      assertThat(scopes.get(0)).contains("a").isNotEqualTo(scopes.get(1));
    }
  }

  @Test
  void aCallerThatMayNotSeeAStoredAnswerGetsNone() throws Exception {
    AtomicBoolean revoked = new AtomicBoolean();
    AtomicReference<Optional<Status>> seen = new AtomicReference<>(Optional.empty());
    AtomicReference<Metadata> headers = new AtomicReference<>();
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            settings ->
                settings.mayReplay(
                    (call, sent, stored) -> {
                      seen.set(stored);
                      headers.set(sent);
                      return !revoked.get();
                    }))) {
      server.pay(WalletServer.request("k", 1));
      assertThat(headers).as("not asked about a first call").hasValue(null);
      revoked.set(true);
      StatusRuntimeException refused = failed(server, "k");

      assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
      assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_REPLAY_REFUSED");
      assertThat(refused.getTrailers().get(WalletServer.REPLAYED)).isNull();
      assertThat(seen.get().map(Status::getCode)).contains(Status.Code.OK);
      assertThat(headers.get()).isNotNull();
      revoked.set(false);
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void aHookThatThrowsFailsTheCallBeforeAnythingRuns() throws Exception {
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY,
            settings ->
                settings.mayReplay(
                    (call, headers, stored) -> {
                      throw new AssertionError("made up");
                    }))) {
      server.pay(WalletServer.request("k", 1));
      StatusRuntimeException refused = failed(server, "k");
      assertThat(WalletServer.reason(refused)).isEqualTo("IDEMPOTENCY_CHECK_FAILED");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }
}
