package dev.idempotency.example.payment;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The packaged client against the packaged service, as the README starts them. */
@Timeout(120)
class PaymentClientIT {

  private static final Pattern READY = Pattern.compile("ready http=(\\d+) .*");

  private static Process java(String jar, String... arguments) throws Exception {
    List<String> command =
        new java.util.ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-jar",
                System.getProperty(jar)));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  @Test
  void everyPaymentMovesItsMoneyOnceAndThePlotShowsItsAttempts(@TempDir Path folder)
      throws Exception {
    Process service = java("transfer-service.jar", "--http-port=0", "--grpc-port=0");
    try {
      BufferedReader ready =
          new BufferedReader(new InputStreamReader(service.getInputStream(), UTF_8));
      Matcher line = READY.matcher(String.valueOf(ready.readLine()));
      assertThat(line.matches()).isTrue();
      Path plot = folder.resolve("attempts.svg");
      Process client =
          java("payment-client.jar", "http://127.0.0.1:" + line.group(1), plot.toString());
      String said = new String(client.getInputStream().readAllBytes(), UTF_8);
      assertThat(client.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(client.exitValue()).as(said).isZero();
      assertThat(said).contains("moved 4000 cents, expected 4000", "LOST", "BREAKER_OPEN");
      assertThat(Files.readString(plot)).startsWith("<svg").contains("503", "replayed");
    } finally {
      service.destroyForcibly();
    }
  }
}
