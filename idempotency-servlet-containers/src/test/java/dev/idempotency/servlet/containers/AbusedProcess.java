package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.FaultProxy.Action;
import dev.idempotency.testing.FaultProxy.Direction;
import dev.idempotency.testing.PayingCallers.Answer;
import dev.idempotency.testing.PayingCallers.Kind;
import dev.idempotency.testing.RedisProcess;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** An {@link AbusedServer} with its Redis, the link between the two, and requests to it. */
final class AbusedProcess implements AutoCloseable {

  /** A large outcome takes longer than the store waits; what a payment needs takes little. */
  private static final int SLOW = 100_000;

  private final RedisProcess redis = RedisProcess.start("--maxmemory", "64mb");
  private final FaultProxy link = FaultProxy.before(redis);
  private final Path ledger = Files.createTempFile("ledger-", ".txt");
  private final Process process;
  private final int port;
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final HttpClient abuser =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final AtomicLong payments = new AtomicLong();

  AbusedProcess(int heapMib, AbusedServer.Mode mode) throws IOException {
    Path errors =
        Path.of(
            "target", "abuse " + Container.nameOfThisRun() + " " + mode + " " + heapMib + ".log");
    Files.createDirectories(errors.toAbsolutePath().getParent());
    process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMib + "m",
                "-XX:+ExitOnOutOfMemoryError",
                // That it ended for that reason is in the file with its errors.
                "-XX:+DisplayVMOutputToStderr",
                "-XX:TieredStopAtLevel=1",
                "-Dcontainer=" + Container.nameOfThisRun(),
                "-cp",
                System.getProperty("java.class.path"),
                AbusedServer.class.getName(),
                mode.name(),
                link.uri(),
                ledger.toString())
            .redirectError(ProcessBuilder.Redirect.to(errors.toFile()))
            .start();
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = out.readLine();
    while (line != null && !line.startsWith("port ")) {
      line = out.readLine();
    }
    assertThat(line).as("the server starts, see " + errors).isNotNull();
    port = Integer.parseInt(line.substring("port ".length()));
  }

  int port() {
    return port;
  }

  RedisProcess redis() {
    return redis;
  }

  Path ledger() {
    return ledger;
  }

  void slowLink() {
    link.follow(
        message ->
            message.direction() == Direction.REQUEST
                ? new Action.Throttle(SLOW)
                : new Action.Pass());
  }

  void healLink() {
    link.heal();
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
    return abuser.sendAsync(
        request.build(),
        info ->
            HttpResponse.BodySubscribers.mapping(
                HttpResponse.BodySubscribers.ofByteArray(), bytes -> bytes.length));
  }

  String get(String path) throws Exception {
    return client.send(request(path).build(), HttpResponse.BodyHandlers.ofString()).body();
  }

  /** As a client library that retries nothing by itself. */
  Answer pay(String caller, String key, long reference) {
    try {
      HttpResponse<String> response =
          client.send(
              request("/pay")
                  .timeout(Duration.ofSeconds(20))
                  .header("X-Tenant", caller)
                  .header("Idempotency-Key", key)
                  .POST(BodyPublishers.ofString(Long.toString(reference)))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      return new Answer(kind(response), response.body());
    } catch (IOException e) {
      return new Answer(Kind.NO_ANSWER, e.toString());
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts the callers", e);
    }
  }

  private static Kind kind(HttpResponse<String> response) {
    return switch (response.statusCode()) {
      case 201 ->
          response.headers().firstValue("Idempotent-Replayed").isPresent()
              ? Kind.REPLAYED
              : Kind.PAID;
      case 409 -> response.body().contains("in-flight") ? Kind.REFUSED : Kind.UNEXPECTED;
      case 422 -> Kind.MISMATCH;
      case 429, 503 -> Kind.REFUSED;
      default -> Kind.UNEXPECTED;
    };
  }

  /** A plain request, and the payment of another caller. */
  void serves(String when) {
    long reference = payments.incrementAndGet();
    Answer answer = pay("other", "payment-" + reference, reference);
    try {
      assertThat(get("/plain")).isEqualTo("plain");
      assertThat(answer.text()).startsWith("paid " + reference + " by other as ");
      assertThat(answer.kind()).isEqualTo(Kind.PAID);
    } catch (Exception | AssertionError e) {
      throw new AssertionError("not served " + when + (isAlive() ? "" : ": it has ended"), e);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
    link.close();
    redis.close();
    try {
      Files.deleteIfExists(ledger);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
