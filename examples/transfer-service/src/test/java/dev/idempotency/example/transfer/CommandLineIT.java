package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class CommandLineIT {

  private static int exitOf(Process process) throws InterruptedException {
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  @Test
  void helpShowsEveryFlag() throws Exception {
    Process process = ServiceProcess.run("--help");
    String said = new String(process.getInputStream().readAllBytes(), UTF_8);

    assertThat(exitOf(process)).isZero();
    assertThat(said)
        .contains("--http-port", "--grpc-port", "--redis", "--ledger", "--accounts")
        .contains("--transfer-delay", "--lease", "--ttl", "--ledger-guard")
        .doesNotContain("--pause-at");
  }

  @Test
  void aWrongFlagEndsWithTwo() throws Exception {
    assertThat(exitOf(ServiceProcess.run("--lease=soon"))).isEqualTo(2);
  }

  @Test
  void servesWithItsOwnRedisAndEndsWithZero() throws Exception {
    try (ServiceProcess service = ServiceProcess.start()) {
      assertThat(service.redis()).startsWith("127.0.0.1:");
      assertThat(service.http().create("k", BadInput.VALID).statusCode()).isEqualTo(201);
      assertThat(service.http().get("/healthz").statusCode()).isEqualTo(200);

      service.terminate();

      assertThat(service.awaitExit()).isZero();
    }
  }
}
