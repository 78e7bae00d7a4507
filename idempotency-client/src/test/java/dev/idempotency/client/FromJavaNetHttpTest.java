package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What somebody writes who knows {@code java.net.http}, over real sockets. */
@Timeout(60)
class FromJavaNetHttpTest {

  private static final String OK = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone";

  private SocketServer server;

  @BeforeEach
  void listen() throws IOException {
    server = new SocketServer();
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private static RetrySettings.Builder quick() {
    return RetrySettings.builder().baseDelay(Duration.ofMillis(1)).maxDelay(Duration.ofMillis(2));
  }

  private static RetryingHttpClient client(RetrySettings settings) {
    return RetryingHttpClient.create(HttpClient.newHttpClient(), settings);
  }

  private RetryableRequest transfer() {
    return RetryableRequest.post(server.uri(), BodySource.of("{\"amount\":5}"));
  }

  // The key as a header

  @Test
  void aKeyThatIsSetAsAHeaderIsTheKey() throws Exception {
    server.answer("", OK);
    RetryableRequest request = transfer().header("idempotency-key", "order-1");
    HttpResult<String> result = client(quick().build()).send(request, BodyHandlers.ofString());
    assertThat(result.key()).contains(new RequestKey("order-1"));
    assertThat(server.requests)
        .hasSize(2)
        .allMatch(seen -> seen.contains("Idempotency-Key: order-1\n"));
  }

  @Test
  void aHeaderThatHoldsNoKeyIsRefusedWithTheWayOut() {
    assertThatThrownBy(() -> transfer().header("Idempotency-Key", "order 1; drop"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("withKey")
        .hasMessageNotContaining("order 1");
    assertThatThrownBy(() -> transfer().withKey(new RequestKey("a")).header("Idempotency-Key", "b"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("withKey");
  }

  @Test
  void aKeyInTheHeaderThatTheClientSendsIsTheKeyToo() throws Exception {
    server.answer(OK);
    RetryingHttpClient client = client(quick().build()).keyHeader("PayPal-Request-Id");
    RetryableRequest request =
        transfer().header("X-Note", "PayPal-Request-Id").header("PayPal-Request-Id", "\"order-1\"");
    assertThat(client.send(request, BodyHandlers.ofString()).key())
        .contains(new RequestKey("order-1"));
    assertThat(server.requests.get(0))
        .contains("PayPal-Request-Id: order-1\n", "X-Note: PayPal-Request-Id\n");
  }

  // A file for the answer

  @Test
  void aFileHoldsTheFinalAnswerAndNothingOfTheOnesBefore(@TempDir Path folder) throws Exception {
    String error = "an error page that is much longer than the result";
    server.answer(
        "HTTP/1.1 503 Busy\r\nContent-Length: " + error.length() + "\r\n\r\n" + error,
        "HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n" + "x".repeat(500),
        OK);
    Path file = folder.resolve("receipt");
    HttpResult<Path> result = client(quick().build()).send(transfer(), BodyHandlers.ofFile(file));
    assertThat(result.status()).isEqualTo(201);
    assertThat(Files.readString(file)).isEqualTo("done");
  }

  @Test
  void anAnswerLongerThanWhatIsHeldIsHandedOverAndNotTriedAgain(@TempDir Path folder)
      throws Exception {
    String part = "x".repeat(200_000);
    server.answer("HTTP/1.1 201 Created\r\nContent-Length: 400000\r\n\r\n" + part, OK);
    RetrySettings settings = quick().heldAnswer(100_000).build();
    assertThatThrownBy(
            () -> client(settings).send(transfer(), BodyHandlers.ofFile(folder.resolve("receipt"))))
        .isInstanceOf(OutcomeUnknownException.class);
    assertThat(server.requests).hasSize(1);
  }

  // Time

  @Test
  void aFutureThatTimesOutEndsItsLoop() throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    RetryListener listener =
        new RetryListener() {
          @Override
          public void ended(int attempts, Verdict verdict, Stop stop) {
            ended.countDown();
          }
        };
    server.answer(SocketServer.SILENCE);
    CompletableFuture<HttpResult<String>> result =
        client(quick().listener(listener).build())
            .sendAsync(transfer(), BodyHandlers.ofString())
            .orTimeout(300, TimeUnit.MILLISECONDS);
    assertThatThrownBy(() -> result.get(30, TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .hasCauseInstanceOf(TimeoutException.class);
    // Long before the attempt's own ten seconds.
    assertThat(ended.await(5, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void callbacksThatBlockDelayNoDeadline() throws Exception {
    server.answer(
        SocketServer.SILENCE, SocketServer.SILENCE, SocketServer.SILENCE, SocketServer.SILENCE);
    RetryingHttpClient client =
        client(
            quick()
                .maxAttempts(1)
                .attemptTimeout(Duration.ofMillis(200))
                .deadline(Duration.ofMillis(500))
                .build());
    CountDownLatch release = new CountDownLatch(1);
    try {
      for (int i = 0; i < 3; i++) {
        var unused =
            client
                .sendAsync(transfer(), BodyHandlers.ofString())
                .whenComplete(
                    (value, failure) -> {
                      try {
                        release.await();
                      } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                      }
                    });
      }
      CompletableFuture<HttpResult<String>> last =
          client.sendAsync(transfer(), BodyHandlers.ofString());
      assertThatThrownBy(() -> last.get(30, TimeUnit.SECONDS))
          .hasCauseInstanceOf(OutcomeUnknownException.class);
    } finally {
      release.countDown();
    }
  }

  @Test
  void theFirstAttemptIsMadeByTheCallersThread() throws Exception {
    Thread caller = Thread.currentThread();
    CompletableFuture<Thread> sender = new CompletableFuture<>();
    server.answer(OK, OK);
    HttpClient http = HttpClient.newHttpClient();
    RetryingHttpClient client =
        RetryingHttpClient.create(
            new HttpTransport() {
              @Override
              public <T> CompletableFuture<java.net.http.HttpResponse<T>> send(
                  java.net.http.HttpRequest request,
                  java.net.http.HttpResponse.BodyHandler<T> handler) {
                sender.complete(Thread.currentThread());
                return http.sendAsync(request, handler);
              }
            },
            quick().build());
    var result = client.sendAsync(transfer(), BodyHandlers.ofString());
    assertThat(sender.getNow(null)).isSameAs(caller);
    assertThat(result.get(30, TimeUnit.SECONDS).status()).isEqualTo(201);
  }

  @Test
  void laterAttemptsRunOnTheExecutorOfTheSettings() throws Exception {
    List<String> senders = new CopyOnWriteArrayList<>();
    HttpClient http = HttpClient.newHttpClient();
    ExecutorService executor = Executors.newSingleThreadExecutor(task -> new Thread(task, "mine"));
    try {
      server.answer("", OK);
      RetryingHttpClient client =
          RetryingHttpClient.create(
              new HttpTransport() {
                @Override
                public <T> CompletableFuture<java.net.http.HttpResponse<T>> send(
                    java.net.http.HttpRequest request,
                    java.net.http.HttpResponse.BodyHandler<T> handler) {
                  senders.add(Thread.currentThread().getName());
                  return http.sendAsync(request, handler);
                }
              },
              quick().executor(executor).build());
      var result = client.sendAsync(transfer(), BodyHandlers.ofString());
      assertThat(result.get(30, TimeUnit.SECONDS).status()).isEqualTo(201);
      assertThat(senders).containsExactly(Thread.currentThread().getName(), "mine");
    } finally {
      executor.shutdown();
    }
  }

  @Test
  void anExecutorThatTakesNoTasksLeavesNoFutureOpen() throws Exception {
    ExecutorService closed = Executors.newSingleThreadExecutor();
    closed.shutdown();
    server.answer("", OK);
    var result =
        client(quick().executor(closed).build()).sendAsync(transfer(), BodyHandlers.ofString());
    assertThat(result.get(30, TimeUnit.SECONDS).status()).isEqualTo(201);
  }

  @Test
  void anUntrustedCertificateIsNotTriedAgain(@TempDir Path folder) throws Exception {
    HttpsServer https = https(folder);
    https.start();
    try {
      RetryableRequest request =
          RetryableRequest.post(
              URI.create("https://localhost:" + https.getAddress().getPort() + "/"),
              BodySource.of("{}"));
      assertThatThrownBy(() -> client(quick().build()).send(request, BodyHandlers.ofString()))
          .isInstanceOfSatisfying(
              NotExecutedException.class,
              e -> {
                assertThat(e.attempts()).isEqualTo(1);
                assertThat(e.stop()).isEqualTo(RetryListener.Stop.NOT_RETRYABLE);
              });
    } finally {
      https.stop(0);
    }
  }

  /** With a certificate of its own, as keytool makes it. */
  private static HttpsServer https(Path folder) throws Exception {
    Path store = folder.resolve("keys.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-keyalg",
                "EC",
                "-alias",
                "server",
                "-dname",
                "CN=localhost",
                "-keystore",
                store.toString(),
                "-storepass",
                "secret",
                "-storetype",
                "PKCS12")
            .inheritIO()
            .start();
    assertThat(keytool.waitFor()).isZero();
    KeyStore keys = KeyStore.getInstance(store.toFile(), "secret".toCharArray());
    KeyManagerFactory managers =
        KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    managers.init(keys, "secret".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(managers.getKeyManagers(), null, null);
    HttpsServer https =
        HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    https.setHttpsConfigurator(new HttpsConfigurator(context));
    return https;
  }

  // Elsewhere

  @Test
  void aClientThatFollowsRedirectionsIsRefusedWhenOursIsMade() {
    HttpClient following =
        HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    assertThatThrownBy(() -> RetryingHttpClient.create(following))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Redirect.NEVER");
  }

  @Test
  void aLoginPageAfterARedirectionOfAnotherTransportIsNoResult() throws Exception {
    server.answer(
        "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlogin");
    HttpClient following =
        HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
    RetryingHttpClient client =
        RetryingHttpClient.create(
            new HttpTransport() {
              @Override
              public <T> CompletableFuture<java.net.http.HttpResponse<T>> send(
                  java.net.http.HttpRequest request,
                  java.net.http.HttpResponse.BodyHandler<T> handler) {
                return following.sendAsync(request, handler);
              }
            },
            quick().build());
    assertThatThrownBy(() -> client.send(transfer(), BodyHandlers.ofString()))
        .isInstanceOf(OutcomeUnknownException.class);
  }

  @Test
  void aHostThatNeverConnectsExecutedNothing() {
    // Of the documentation's network (RFC 5737): no route, or no answer, but never a connection.
    RetryableRequest nowhere =
        RetryableRequest.post(URI.create("http://192.0.2.1:81/"), BodySource.of("{}"));
    RetrySettings settings =
        quick().deadline(Duration.ofMillis(600)).attemptTimeout(Duration.ofMillis(200)).build();
    assertThatThrownBy(() -> client(settings).send(nowhere, BodyHandlers.ofString()))
        .isInstanceOf(NotExecutedException.class);
    assertThatThrownBy(() -> client(settings).sendAsync(nowhere, BodyHandlers.ofString()).get())
        .hasCauseInstanceOf(NotExecutedException.class);
  }

  @Test
  void aBodyThatStopsHalfwayIsGivenUpInTime() throws Exception {
    server.answer(
        "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\ndone" + SocketServer.SILENCE, OK);
    RetrySettings settings = quick().attemptTimeout(Duration.ofMillis(300)).build();
    assertThat(client(settings).send(transfer(), BodyHandlers.ofString()).body()).isEqualTo("done");
  }

  @Test
  void aRefusalThatNeverEndsHoldsUpNobody() throws Exception {
    server.answer(
        "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n" + SocketServer.ENDLESS, OK);
    RetrySettings settings = quick().attemptTimeout(Duration.ofSeconds(20)).build();
    HttpResult<byte[]> result = client(settings).send(transfer(), BodyHandlers.ofByteArray());
    assertThat(new String(result.body(), UTF_8)).isEqualTo("done");
  }
}
