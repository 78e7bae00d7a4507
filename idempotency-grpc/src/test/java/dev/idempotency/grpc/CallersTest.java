package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who the caller is, is said by the application. */
@Timeout(60)
class CallersTest {

  private static final PayRequest REQUEST = WalletServer.request("k", 1);

  private static String pay(WalletServer server, String header, String value) {
    return server.client(WalletServer.metadata(header, value)).pay(REQUEST).getId();
  }

  @Test
  void interceptorWithoutScopeIsNotBuiltAndTheMessageShowsTheWays() {
    try (IdempotencyEngine engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults())) {
      assertThatThrownBy(() -> IdempotencyInterceptor.builder(engine).build())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("scope((call, headers)")
          .hasMessageContaining("scopeByContext(key)")
          .hasMessageContaining("scopeByMetadata(name)")
          .hasMessageContaining("oneScopeForAllCallers()");
      var builder = IdempotencyInterceptor.builder(engine);
      assertThatThrownBy(() -> builder.scopeByMetadata("not a name"))
          .isInstanceOf(IllegalArgumentException.class);
      assertThatThrownBy(() -> builder.errorDomain(" "))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void callersWithoutIdentityHaveAScopeThatNoIdentityHas() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.scopeByMetadata("x-api-key"))) {
      assertThat(pay(server, "x-api-key", "alice")).isEqualTo("p-1");
      assertThat(pay(server, "x-api-key", "bob")).isEqualTo("p-2");
      assertThat(server.pay(REQUEST).payment().getId()).isEqualTo("p-3");
      assertThat(pay(server, "x-api-key", "anonymous")).isEqualTo("p-4");
      assertThat(pay(server, "x-api-key", "")).isEqualTo("p-3");
      assertThat(pay(server, "x-api-key", "alice")).isEqualTo("p-1");
      assertThat(pay(server, "x-api-key", "a".repeat(2000) + "1")).isEqualTo("p-5");
      assertThat(pay(server, "x-api-key", "a".repeat(2000) + "2")).isEqualTo("p-6");
    }
  }

  @Test
  void credentialThatIsRenewedBetweenRetriesIsNoIdentity() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      assertThat(pay(server, "authorization", "Bearer one")).isEqualTo("p-1");
      assertThat(pay(server, "authorization", "Bearer two")).isEqualTo("p-1");
    }
  }

  @Test
  void callerThatIsNamedTwiceIsRefused() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.scopeByMetadata("x-api-key"))) {
      Metadata twice = WalletServer.metadata("x-api-key", "alice");
      twice.put(WalletServer.ascii("x-api-key"), "bob");
      assertThatThrownBy(() -> server.client(twice).pay(REQUEST))
          .hasMessageContaining("INVALID_ARGUMENT");
      assertThat(server.wallet.effects).hasValue(0);
    }
  }

  @Test
  void identityWithoutBytesOfItsOwnIsRefused() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.scope((call, headers) -> Optional.of("\ud800")))) {
      TwelveRulesTest.assertCode(
          server, REQUEST, Status.Code.INVALID_ARGUMENT, "IDEMPOTENCY_CALLER_UNCLEAR");
    }
  }

  @Test
  void domainOfErrorsIsTheApplicationsToChoose() throws Exception {
    try (WalletServer server =
        WalletServer.on(Transport.NETTY, s -> s.errorDomain("wallet.example"))) {
      assertThatThrownBy(() -> server.client().pay(WalletServer.request("", 1)))
          .satisfies(
              e ->
                  assertThat(io.grpc.protobuf.StatusProto.fromThrowable(e).getDetailsList())
                      .anySatisfy(
                          detail ->
                              assertThat(detail.unpack(com.google.rpc.ErrorInfo.class).getDomain())
                                  .isEqualTo("wallet.example")));
    }
  }
}
