package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.IdempotencyInterceptor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whose words the client believes. */
class PeerTest {

  @Test
  void theServersOwnNameIsKnown() {
    assertThat(Peer.DOMAIN).isEqualTo(IdempotencyInterceptor.ERROR_DOMAIN);
  }

  @ParameterizedTest
  @CsvSource({
    "IDEMPOTENCY_STORE_UNAVAILABLE, ",
    "IDEMPOTENCY_HANDLERS_BUSY, ",
    "IDEMPOTENCY_KEY_REUSED, ",
    "IDEMPOTENCY_KEY_IN_FLIGHT, IDEMPOTENCY_OUTCOME_UNKNOWN",
    "IDEMPOTENCY_OUTCOME_UNKNOWN, IDEMPOTENCY_OUTCOME_UNKNOWN",
    "IDEMPOTENCY_KEY_EXPIRED, IDEMPOTENCY_OUTCOME_UNKNOWN",
  })
  void anotherServersAnswerIsNoWordOfOurs(String reason, String expected) {
    assertThat(Peer.reason("ledger.example", reason, Peer.DOMAIN).orElse(null)).isEqualTo(expected);
    assertThat(Peer.reason(Peer.DOMAIN, reason, Peer.DOMAIN)).contains(reason);
  }
}
