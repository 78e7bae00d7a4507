package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A process whose common pool does nothing but wait, as one with a few blocking streams has. */
@Timeout(90)
class BusyCommonPoolTest {

  /** Exits with 0 if a blocking call gets its result, and a future its end, at the deadline. */
  static final class BusyProcess {

    public static void main(String[] args) throws Exception {
      CountDownLatch never = new CountDownLatch(1);
      for (int i = 0; i < 100; i++) {
        ForkJoinPool.commonPool()
            .execute(
                () -> {
                  try {
                    never.await();
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                });
      }
      try (SocketServer server = new SocketServer()) {
        server.answer(
            "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone");
        RetryingHttpClient client =
            RetryingHttpClient.create(
                HttpClient.newHttpClient(),
                RetrySettings.builder()
                    .baseDelay(Duration.ofMillis(1))
                    .deadline(Duration.ofSeconds(3))
                    .build());
        RetryableRequest request = RetryableRequest.post(server.uri(), BodySource.of("{}"));
        HttpResult<String> result = client.send(request, BodyHandlers.ofString());
        server.answer(SocketServer.SILENCE);
        var ended =
            client
                .sendAsync(request, BodyHandlers.ofString())
                .handle((value, failure) -> failure != null);
        boolean inTime = ended.get(20, TimeUnit.SECONDS);
        System.exit(result.attempts() == 2 && inTime ? 0 : 1);
      }
    }
  }

  @Test
  void aBlockingCallGetsItsResultAndAFutureEndsAtItsDeadline() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.util.concurrent.ForkJoinPool.common.parallelism=2",
                "-cp",
                System.getProperty("java.class.path"),
                BusyProcess.class.getName())
            .inheritIO()
            .start();
    try {
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isZero();
    } finally {
      process.destroyForcibly();
    }
  }
}
