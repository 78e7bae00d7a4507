package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** An {@link AbusedServer}, and a caller who is served while others abuse it. */
final class AbusedProcess implements AutoCloseable {

  private final Process process;
  private final int port;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final AtomicInteger payments = new AtomicInteger();

  AbusedProcess(int heapMib, boolean bounded) throws IOException {
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMib + "m",
                "-XX:+ExitOnOutOfMemoryError",
                "-XX:TieredStopAtLevel=1",
                "-Dcontainer=" + Container.nameOfThisRun(),
                "-cp",
                System.getProperty("java.class.path"),
                AbusedServer.class.getName(),
                bounded ? "bounded" : "unbounded")
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = out.readLine();
    while (line != null && !line.startsWith("port ")) {
      line = out.readLine();
    }
    assertThat(line).as("the server starts").isNotNull();
    port = Integer.parseInt(line.substring("port ".length()));
  }

  int port() {
    return port;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** Whether it has ended for want of memory. */
  boolean hasDied() throws InterruptedException {
    return process.waitFor(30, TimeUnit.SECONDS) && process.exitValue() == 3;
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
        .timeout(Duration.ofSeconds(60));
  }

  /** A request of the abuser. */
  HttpRequest.Builder greedy(String path, String key, HttpRequest.BodyPublisher body) {
    return request(path).header("X-Tenant", "greedy").header("Idempotency-Key", key).POST(body);
  }

  CompletableFuture<HttpResponse<Integer>> send(HttpRequest.Builder request) {
    // The length is enough, and the client's heap is small too.
    return client.sendAsync(
        request.build(),
        info ->
            HttpResponse.BodySubscribers.mapping(
                HttpResponse.BodySubscribers.ofByteArray(), bytes -> bytes.length));
  }

  String get(String path) throws Exception {
    return client.send(request(path).build(), HttpResponse.BodyHandlers.ofString()).body();
  }

  /** A plain request, and the payment of another caller. */
  void serves(String when) {
    try {
      assertThat(get("/plain")).isEqualTo("plain");
      HttpRequest payment =
          request("/pay")
              .header("X-Tenant", "other")
              .header("Idempotency-Key", "payment-" + payments.incrementAndGet())
              .POST(HttpRequest.BodyPublishers.ofString("{\"amount\":25}"))
              .build();
      HttpResponse<String> paid = client.send(payment, HttpResponse.BodyHandlers.ofString());
      assertThat(paid.statusCode()).isEqualTo(201);
      assertThat(paid.body()).isEqualTo("paid 13");
    } catch (Exception e) {
      throw new AssertionError("not served " + when + (isAlive() ? "" : ": it has ended"), e);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
