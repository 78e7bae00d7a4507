package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import dev.idempotency.MemoryReservation;
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
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.eclipse.jetty.ee10.servlet.ServletChannelState;
import org.eclipse.jetty.ee10.servlet.ServletContextRequest;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What requests hold is bounded, whatever clients send, and however slowly. */
@Timeout(60)
class HeldMemoryTest {

  private static final int LARGEST = 64 * 1024;

  /** Bodies may have 512 KiB, large ones 448 of them. */
  private static final int FULL = 7 * LARGEST;

  private final MemoryBudget memory = MemoryBudget.of(2 * 1024 * 1024);

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.builder().memory(memory).build());
  private final IdempotencyFilterBuilder filter =
      TestServer.everything(engine)
          .everyRoute(
              RoutePolicy.optional().maxRequestBytes(LARGEST).waitInFlight(Duration.ofSeconds(30)));
  private final AtomicInteger runs = new AtomicInteger();
  private final CountDownLatch go = new CountDownLatch(1);
  private final List<Socket> slow = new ArrayList<>();
  private TestServer server;

  private void serve(TestServer.Handler handler) throws Exception {
    server =
        new TestServer(
            filter.build(),
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
  private Socket slowBody(int tenant, String framing, int sent) throws IOException {
    Socket socket = new Socket("127.0.0.1", server.uri().getPort());
    slow.add(socket);
    String head =
        "POST /app/v1 HTTP/1.1\r\nHost: a\r\nIdempotency-Key: s"
            + slow.size()
            + "\r\nX-Tenant: "
            + tenant
            + "\r\n";
    socket
        .getOutputStream()
        .write((head + framing + "\r\n\r\n" + "x".repeat(sent)).getBytes(ISO_8859_1));
    return socket;
  }

  private static final String ANNOUNCED = "Content-Length: " + LARGEST;

  private MemoryReservation hold(MemoryBudget.Kind kind, long bytes) {
    MemoryReservation reservation = memory.reserve(kind, "");
    assertThat(reservation.grow(bytes).isGranted()).isTrue();
    return reservation;
  }

  private long bodies() {
    return memory.held(MemoryBudget.Kind.REQUESTS);
  }

  @Test
  void aLargeBodyThatFindsNoRoomIsRefusedBeforeItIsReadAndSmallOnesAreServed() throws Exception {
    serve(
        (request, response) -> {
          // Of a request without a key nobody else reads it, and Jetty resets the connection of one
          // whose body arrives after its answer.
          request.getInputStream().readAllBytes();
          response.getOutputStream().print("done");
        });
    for (int i = 0; i < 7; i++) {
      slowBody(i, ANNOUNCED, LARGEST - 1);
    }
    until(() -> bodies() == FULL);

    // Without waiting for one byte of its body.
    Socket refused = slowBody(8, ANNOUNCED, 0);
    assertThat(new String(refused.getInputStream().readAllBytes(), UTF_8))
        .startsWith("HTTP/1.1 503")
        .contains("bodies-full", "Retry-After: 1", "Connection: close");
    assertThat(runs).hasValue(0);
    assertThat(server.post("small", "payment").body()).isEqualTo("done");
    assertThat(server.send(server.post("a")).body()).isEqualTo("done");
    assertThat(server.send(server.request("/v1").GET()).body()).isEqualTo("done");

    slow.get(0).close();
    slow.get(1).close();
    until(() -> bodies() == FULL - 2 * LARGEST);
    assertThat(server.post("x".repeat(LARGEST), "k").body()).isEqualTo("done");
    until(() -> bodies() == FULL - 2 * LARGEST);
  }

  @Test
  void oneCallerCannotTakeTheRoomOfAnother() throws Exception {
    filter.scopeByHeader("X-Tenant");
    serve((request, response) -> response.getOutputStream().print("done"));
    slowBody(0, ANNOUNCED, LARGEST - 1);
    until(() -> bodies() == LARGEST);

    // Its share is 128 KiB, an eighth of it for small bodies. The last byte is one too many: what
    // is not read when a connection is closed costs the client its answer.
    Socket another = slowBody(0, ANNOUNCED, LARGEST / 2 + 1);
    assertThat(new String(another.getInputStream().readAllBytes(), UTF_8))
        .startsWith("HTTP/1.1 503");

    HttpRequest.Builder other = server.post("x".repeat(LARGEST), "Idempotency-Key", "k");
    assertThat(server.send(other.header("X-Tenant", "other")).body()).isEqualTo("done");
    HttpRequest.Builder small = server.post("small", "Idempotency-Key", "small");
    assertThat(server.send(small.header("X-Tenant", "0")).body()).isEqualTo("done");
  }

  @Test
  void aBodyThatGrowsPastTheRoomThatIsLeftIsRefusedToo() throws Exception {
    serve((request, response) -> {});
    hold(MemoryBudget.Kind.REQUESTS, FULL - 16 * 1024);
    Socket chunked = slowBody(1, "Transfer-Encoding: chunked", 0);
    chunked.getOutputStream().write("1\r\nx\r\n".getBytes(ISO_8859_1));
    until(() -> bodies() == FULL - 8 * 1024);
    String more = "x".repeat(16 * 1024);
    chunked
        .getOutputStream()
        .write((Integer.toHexString(more.length()) + "\r\n" + more + "\r\n").getBytes(ISO_8859_1));

    assertThat(new String(chunked.getInputStream().readAllBytes(), UTF_8))
        .startsWith("HTTP/1.1 503");
    until(() -> bodies() == FULL - 16 * 1024);
    assertThat(runs).hasValue(0);
  }

  @Test
  void aWaiterThatFindsNoRoomIsToldAtOnce() throws Exception {
    serve(
        (request, response) -> {
          await(go);
          response.getOutputStream().print("done");
        });
    List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
    all.add(server.sendAsync(server.post("x".repeat(LARGEST), "Idempotency-Key", "k")));
    until(() -> bodies() == LARGEST);
    for (int i = 1; i <= 3; i++) {
      int waiting = i;
      all.add(server.sendAsync(server.post("x".repeat(LARGEST), "Idempotency-Key", "k")));
      until(() -> memory.held(MemoryBudget.Kind.WAITS) == waiting * LARGEST);
    }

    HttpResponse<String> refused = server.post("x".repeat(LARGEST), "k");
    assertThat(refused.statusCode()).isEqualTo(409);
    assertThat(refused.body()).contains("in-flight");
    assertThat(engine.waiters()).isEqualTo(3);

    go.countDown();
    for (CompletableFuture<HttpResponse<String>> each : all) {
      assertThat(each.get(20, SECONDS).body()).isEqualTo("done");
    }
    assertThat(runs).hasValue(1);
    until(() -> memory.held() == 0);
  }

  /** What has run is answered; a result that there is no memory for is not kept. */
  @Test
  void aResponseThatFindsNoRoomIsSentWholeAndItsStatusIsKept() throws Exception {
    serve(
        (request, response) -> {
          response.setStatus(201);
          byte[] piece = new byte[10_000];
          Arrays.fill(piece, (byte) 'x');
          int length = Integer.parseInt(request.getReader().readLine());
          for (int sent = 0; sent < length; sent += piece.length) {
            response.getOutputStream().write(piece);
          }
        });

    // Room to be held back, not to be stored; and not even to be held back.
    for (int length : new int[] {300_000, 900_000}) {
      String key = "k" + length;
      HttpResponse<String> first = server.post("" + length, key);
      assertThat(first.statusCode()).isEqualTo(201);
      assertThat(first.body()).isEqualTo("x".repeat(length));
      until(() -> memory.held() == 0);

      HttpResponse<String> retry = server.post("" + length, key);
      assertThat(retry.statusCode()).isEqualTo(409);
      assertThat(retry.body()).contains("response-not-kept").contains("201");
    }
    assertThat(server.post("150000", "k").body()).hasSize(150_000);
    assertThat(server.post("150000", "k").body()).hasSize(150_000);
    assertThat(runs).hasValue(3);
    until(() -> memory.held() == 0);
  }

  @Test
  void aReplayThatFindsNoRoomIsToldToComeBack() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));
    assertThat(server.post("a", "k").body()).isEqualTo("done");
    MemoryReservation all =
        hold(MemoryBudget.Kind.RESPONSES, memory.largest(MemoryBudget.Kind.RESPONSES));
    MemoryReservation more = memory.reserve(MemoryBudget.Kind.RESPONSES, "");
    while (more.grow(1024).isGranted()) {
      more = more.bytes() < 8192 ? more : memory.reserve(MemoryBudget.Kind.RESPONSES, "");
    }

    HttpResponse<String> refused = server.post("a", "k");
    assertThat(refused.statusCode()).isEqualTo(503);
    assertThat(refused.headers().firstValue("Retry-After")).isPresent();

    all.close();
    assertThat(server.post("a", "k").body()).isEqualTo("done");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aFormCountsAsWhatItsNamesAndValuesTakeWhenParsed() throws Exception {
    serve(
        (request, response) -> {
          assertThat(request.getParameter("n1")).isEqualTo("1");
          response.getWriter().print(memory.held(MemoryBudget.Kind.FORMS));
        });
    StringBuilder form = new StringBuilder("n1=1");
    for (int i = 2; i <= 500; i++) {
      form.append("&n").append(i).append("=1");
    }

    HttpResponse<String> small = server.send(form(form.toString(), "small"));
    assertThat(Long.parseLong(small.body())).isBetween(500 * 300L, 500 * 400L);
    until(() -> memory.held() == 0);

    hold(MemoryBudget.Kind.FORMS, 128 * 1024);
    HttpResponse<String> refused = server.send(form(form.toString(), "refused"));
    assertThat(refused.statusCode()).isEqualTo(503);
    assertThat(refused.body()).contains("bodies-full");
    assertThat(runs).hasValue(1);
    until(() -> memory.held() == 128 * 1024);
  }

  /** As without a key: what the container refuses has not run, and is not held. */
  @Test
  void aFormWithMoreNamesThanTheContainerTakesIsRefusedByIt() throws Exception {
    serve((request, response) -> response.getWriter().print(request.getParameter("n1")));
    StringBuilder form = new StringBuilder("n1=1");
    for (int i = 2; form.length() < LARGEST - 10; i++) {
      form.append("&n").append(Integer.toString(i, 36));
    }

    assertThat(server.send(form(form.toString(), "k")).statusCode()).isEqualTo(400);
    until(() -> memory.held() == 0);
  }

  private HttpRequest.Builder form(String form, String key) {
    return server
        .post(form, "Idempotency-Key", key)
        .setHeader("Content-Type", "application/x-www-form-urlencoded");
  }

  @Test
  void announcedBytesThatDoNotComeTakeNothing() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));
    for (int i = 0; i < 30; i++) {
      slowBody(0, ANNOUNCED, 0);
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
              assertThat(memory.held()).isPositive();
              await(go);
            }
            default -> response.getOutputStream().print("done");
          }
        });

    for (String body : new String[] {"done", "throws", "async", "dispatches"}) {
      server.post(body, body);
      until(() -> memory.held() == 0);
      server.post(body, body);
      until(() -> memory.held() == 0);
      server.post("other", body);
      until(() -> memory.held() == 0);
    }
    assertThat(server.post("x".repeat(LARGEST + 1), "large").statusCode()).isEqualTo(413);
    List<CompletableFuture<HttpResponse<String>>> waiting = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      waiting.add(server.sendAsync(server.post("waits", "Idempotency-Key", "waits")));
    }
    until(() -> engine.waiters() == 2);
    until(() -> memory.held(MemoryBudget.Kind.WAITS) == 2 * "waits".length());
    assertThat(bodies()).isEqualTo("waits".length());
    go.countDown();
    for (CompletableFuture<HttpResponse<String>> each : waiting) {
      assertThat(each.get(20, SECONDS).statusCode()).isEqualTo(200);
    }
    until(() -> memory.held() == 0);
  }

  /** Over HTTP/2 the container ends the request at once; the handler still has its body. */
  @Test
  void aBodyCountsUntilItsHandlerEndsThoughTheClientDisconnected() throws Exception {
    List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());
    AtomicReference<ServletChannelState> state = new AtomicReference<>();
    CountDownLatch told = new CountDownLatch(1);
    serve(
        (request, response) -> {
          if (request.getMethod().equals("POST")) {
            AsyncContext async = request.startAsync();
            async.addListener(new TellsCompletion(told));
            state.set(ServletContextRequest.getServletContextRequest(request).getState());
            held.add(async);
          }
        });
    URI app = server.openHttp2(10);
    HttpClient client = HttpClient.newHttpClient();
    // Makes the connection one of HTTP/2.
    client.send(HttpRequest.newBuilder(app).build(), HttpResponse.BodyHandlers.discarding());
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(app + "/v1"))
            .header("Idempotency-Key", "k")
            .POST(HttpRequest.BodyPublishers.ofString("x".repeat(LARGEST)))
            .build();
    CompletableFuture<HttpResponse<String>> sent =
        client.sendAsync(request, HttpResponse.BodyHandlers.ofString());
    until(() -> held.size() == 1);
    // Jetty tells nobody of a client that disconnects before the handler has returned.
    until(() -> state.get().getState() == ServletChannelState.State.WAITING);
    sent.cancel(true);
    await(told);

    assertThat(bodies()).isEqualTo(LARGEST);
    held.get(0).getResponse().getWriter().print("paid, unseen");
    held.get(0).complete();
    until(() -> memory.held() == 0);
    HttpResponse<String> retry = client.send(request, HttpResponse.BodyHandlers.ofString());
    assertThat(retry.body()).isEqualTo("paid, unseen");
    assertThat(held).hasSize(1);
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
          .as("%s bytes are held, %s of bodies", memory.held(), bodies())
          .isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
