package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShutdownIT {

  @TempDir private Path folder;

  @Test
  void aTransferInFlightAtSigtermEndsIsAnsweredAndIsReplayedByTheNextProcess() throws Exception {
    String ledger = "--ledger=jdbc:h2:" + folder.resolve("ledger") + ";AUTO_SERVER=TRUE";
    try (EmbeddedRedis redis = EmbeddedRedis.start()) {
      HttpResponse<String> first;
      try (ServiceProcess service =
          ServiceProcess.start("--redis=" + redis.uri(), ledger, "--transfer-delay=2s")) {
        HttpCaller http = service.http();
        CompletableFuture<HttpResponse<String>> one = http.createAsync("k", BadInput.VALID);
        CompletableFuture<HttpResponse<String>> two = http.createAsync("k", BadInput.VALID);
        // One of them is refused at once as in flight, which proves that the other one runs.
        CompletableFuture.anyOf(one, two).get(20, TimeUnit.SECONDS);
        CompletableFuture<HttpResponse<String>> refused = one.isDone() ? one : two;
        CompletableFuture<HttpResponse<String>> running = one.isDone() ? two : one;
        assertThat(HttpCaller.isInFlight(refused.get())).isTrue();

        service.terminate();

        first = running.get(20, TimeUnit.SECONDS);
        assertThat(first.statusCode()).isEqualTo(201);
        assertThat(service.awaitExit()).isZero();
      }
      try (ServiceProcess next = ServiceProcess.start("--redis=" + redis.uri(), ledger)) {
        HttpResponse<String> retry = next.http().create("k", BadInput.VALID);

        assertThat(HttpCaller.replayed(retry)).hasValue("true");
        assertThat(retry.body()).isEqualTo(first.body());
        assertThat(next.http().balance("bob")).isEqualTo(2500);
      }
    }
  }
}
