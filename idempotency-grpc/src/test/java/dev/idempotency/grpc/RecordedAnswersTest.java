package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoredRecord;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class RecordedAnswersTest {

  @ParameterizedTest
  @EnumSource(Transport.class)
  void anEncodedAnswerIsByteForByteWhatTheInterceptorStores(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      WalletServer.Seen seen = server.pay(WalletServer.request("k", 5));

      StoredRecord.Completed stored =
          (StoredRecord.Completed) server.record(new IdempotencyKey("", "k")).orElseThrow();
      assertThat(RecordedAnswers.ok(WalletServiceGrpc.getPayMethod(), seen.payment()))
          .isEqualTo(stored.outcome());
    }
  }
}
