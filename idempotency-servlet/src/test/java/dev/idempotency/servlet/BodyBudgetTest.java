package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.DispatcherType;
import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** All bodies together have a bound, whatever clients send, and however slowly. */
@Timeout(60)
class BodyBudgetTest {

  private static final int LARGEST = 16 * 1024;
  private static final int BUDGET = 4 * LARGEST;

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final FilterSettings settings =
      TestServer.everything(engine)
          .everyRoute(
              RoutePolicy.optional().maxRequestBytes(LARGEST).waitInFlight(Duration.ofSeconds(30)))
          .maxBufferedBytes(BUDGET)
          .settings();
  private final AtomicInteger runs = new AtomicInteger();
  private final CountDownLatch go = new CountDownLatch(1);
  private final List<Socket> slow = new ArrayList<>();
  private TestServer server;

  private void serve(TestServer.Handler handler) throws Exception {
    server =
        new TestServer(
            new IdempotencyFilter(settings),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            },
            EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC),
            100);
  }

  @AfterEach
  void stop() throws Exception {
    go.countDown();
    for (Socket each : slow) {
      each.close();
    }
    server.close();
    engine.close();
    store.close();
  }

  /** Announces a body of the largest size, sends a part of it, and then nothing. */
  private Socket slowBody(String framing, int sent) throws IOException {
    Socket socket = new Socket("127.0.0.1", server.uri().getPort());
    slow.add(socket);
    String head = "POST /app/v1 HTTP/1.1\r\nHost: a\r\nIdempotency-Key: s" + slow.size() + "\r\n";
    socket
        .getOutputStream()
        .write((head + framing + "\r\n\r\n" + "x".repeat(sent)).getBytes(ISO_8859_1));
    return socket;
  }

  private static final String ANNOUNCED = "Content-Length: " + LARGEST;

  @Test
  void whatFindsNoRoomIsRefusedBeforeItIsReadAndTheRestOfTheServerWorksOn() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));
    for (int i = 0; i < 4; i++) {
      slowBody(ANNOUNCED, LARGEST - 1);
    }
    until(() -> settings.bodies().taken() == BUDGET);

    HttpResponse<String> refused = server.post("a", "k");
    assertThat(refused.statusCode()).isEqualTo(503);
    assertThat(refused.body()).contains("bodies-full");
    assertThat(refused.headers().firstValue("Retry-After")).contains("1");
    assertThat(runs).hasValue(0);
    // Without waiting for one byte of its body.
    Socket another = slowBody(ANNOUNCED, 0);
    assertThat(new String(another.getInputStream().readAllBytes(), UTF_8))
        .startsWith("HTTP/1.1 503")
        .contains("Connection: close");
    assertThat(server.send(server.post("a")).body()).isEqualTo("done");
    assertThat(server.send(server.request("/v1").GET()).body()).isEqualTo("done");

    slow.get(0).getOutputStream().write('x');
    until(() -> settings.bodies().taken() == BUDGET - LARGEST);
    assertThat(server.post("a", "k").body()).isEqualTo("done");
    until(() -> settings.bodies().taken() == BUDGET - LARGEST);
  }

  @Test
  void aBodyThatGrowsPastTheRoomThatIsLeftIsRefusedToo() throws Exception {
    serve((request, response) -> {});
    for (int i = 0; i < 3; i++) {
      slowBody(ANNOUNCED, LARGEST - 1);
    }
    until(() -> settings.bodies().taken() == BUDGET - LARGEST);
    Socket chunked = slowBody("Transfer-Encoding: chunked", 0);
    chunked.getOutputStream().write("1\r\nx\r\n".getBytes(ISO_8859_1));
    until(() -> settings.bodies().taken() == BUDGET - LARGEST / 2);
    Socket second = slowBody("Transfer-Encoding: chunked", 0);
    second.getOutputStream().write("1\r\nx\r\n".getBytes(ISO_8859_1));
    until(() -> settings.bodies().taken() == BUDGET);
    String more = "x".repeat(LARGEST / 2);
    second
        .getOutputStream()
        .write((Integer.toHexString(more.length()) + "\r\n" + more + "\r\n").getBytes(ISO_8859_1));

    assertThat(new String(second.getInputStream().readAllBytes(), UTF_8))
        .startsWith("HTTP/1.1 503");
    until(() -> settings.bodies().taken() == BUDGET - LARGEST / 2);
    assertThat(runs).hasValue(0);
  }

  @Test
  void announcedBytesThatDoNotComeTakeNothing() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));
    for (int i = 0; i < 30; i++) {
      slowBody(ANNOUNCED, 0);
    }

    assertThat(server.post("x".repeat(LARGEST), "k").body()).isEqualTo("done");
  }

  @Test
  void aRequestGivesBackWhatItTookHoweverItEnds() throws Exception {
    serve(
        (request, response) -> {
          String body = request.getReader().readLine();
          switch (body) {
            case "throws" -> throw new IllegalStateException("made up");
            case "async" -> {
              AsyncContext async = request.startAsync();
              async.start(async::complete);
            }
            case "dispatches" -> {
              if (request.getDispatcherType() == DispatcherType.REQUEST) {
                request.startAsync().dispatch();
              }
            }
            case "waits" -> {
              assertThat(settings.bodies().taken()).isPositive();
              await(go);
            }
            default -> response.getOutputStream().print("done");
          }
        });

    for (String body : new String[] {"done", "throws", "async", "dispatches"}) {
      server.post(body, body);
      until(() -> settings.bodies().taken() == 0);
      server.post(body, body);
      until(() -> settings.bodies().taken() == 0);
      server.post("other", body);
      until(() -> settings.bodies().taken() == 0);
    }
    assertThat(server.post("x".repeat(LARGEST + 1), "large").statusCode()).isEqualTo(413);
    List<CompletableFuture<HttpResponse<String>>> waiting = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      waiting.add(server.sendAsync(server.post("waits", "Idempotency-Key", "waits")));
    }
    until(() -> engine.waiters() == 2);
    assertThat(settings.bodies().taken()).isEqualTo(3 * "waits".length());
    go.countDown();
    for (CompletableFuture<HttpResponse<String>> each : waiting) {
      assertThat(each.get(20, SECONDS).statusCode()).isEqualTo(200);
    }
    until(() -> settings.bodies().taken() == 0);
  }

  /** Over HTTP/2 the container ends the request at once; the handler still has its body. */
  @Test
  void aBodyCountsUntilItsHandlerEndsThoughTheClientDisconnected() throws Exception {
    List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch told = new CountDownLatch(1);
    serve(
        (request, response) -> {
          if (request.getMethod().equals("POST")) {
            AsyncContext async = request.startAsync();
            async.addListener(new TellsCompletion(told));
            held.add(async);
          }
        });
    URI app = server.openHttp2(10);
    HttpClient client = HttpClient.newHttpClient();
    // Makes the connection one of HTTP/2.
    client.send(HttpRequest.newBuilder(app).build(), HttpResponse.BodyHandlers.discarding());
    CompletableFuture<HttpResponse<String>> sent =
        client.sendAsync(
            HttpRequest.newBuilder(URI.create(app + "/v1"))
                .header("Idempotency-Key", "k")
                .POST(HttpRequest.BodyPublishers.ofString("x".repeat(LARGEST)))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    until(() -> held.size() == 1);
    sent.cancel(true);
    await(told);

    assertThat(settings.bodies().taken()).isEqualTo(LARGEST);
    held.get(0).complete();
    until(() -> settings.bodies().taken() == 0);
    assertThat(server.send(server.request("/v1").GET()).statusCode()).isEqualTo(200);
  }

  private record TellsCompletion(CountDownLatch told) implements AsyncListener {
    @Override
    public void onComplete(AsyncEvent event) {
      told.countDown();
    }

    @Override
    public void onTimeout(AsyncEvent event) {}

    @Override
    public void onError(AsyncEvent event) {}

    @Override
    public void onStartAsync(AsyncEvent event) {}
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void until(BooleanSupplier condition) {
    long deadline = System.nanoTime() + SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime())
          .as("%s bytes are taken", settings.bodies().taken())
          .isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
