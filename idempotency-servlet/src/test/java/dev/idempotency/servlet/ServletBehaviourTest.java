package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;
import org.eclipse.jetty.ee10.servlet.ErrorPageErrorHandler;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a servlet may do with its request and its response, behind the filter. */
@Timeout(60)
class ServletBehaviourTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private void serve(TestServer.Handler handler) throws Exception {
    serve(handler, context -> {});
  }

  private void serve(TestServer.Handler handler, Consumer<ServletContextHandler> more)
      throws Exception {
    server =
        new TestServer(
            TestServer.everything(engine).build(),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            },
            EnumSet.allOf(DispatcherType.class),
            20,
            more);
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private void assertReplayed(HttpResponse<String> first, String body) throws Exception {
    HttpResponse<String> replay = server.post("", "k");
    assertThat(first.body()).isEqualTo(body);
    assertThat(replay.body()).isEqualTo(body);
    assertThat(replay.statusCode()).isEqualTo(first.statusCode());
    assertThat(replay.headers().firstValue("Idempotent-Replayed")).contains("true");
  }

  @Test
  void aForwardIsPartOfTheExchange() throws Exception {
    serve(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.FORWARD) {
            response.setStatus(201);
            response.getWriter().print("forwarded " + request.getParameter("a"));
          } else {
            response.getWriter().print("dropped");
            request.getRequestDispatcher("/elsewhere?a=1").forward(request, response);
          }
        });

    assertReplayed(server.post("", "k"), "forwarded 1");
    assertThat(runs).hasValue(2);
  }

  @Test
  void anIncludeIsPartOfTheExchange() throws Exception {
    serve(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.INCLUDE) {
            response.setStatus(404);
            response.getWriter().print("middle ");
          } else {
            response.getWriter().print("first ");
            request.getRequestDispatcher("/elsewhere").include(request, response);
            response.getWriter().print("last");
          }
        });

    assertReplayed(server.post("", "k"), "first middle last");
    assertThat(server.post("", "k").statusCode()).isEqualTo(200);
    assertThat(runs).hasValue(2);
  }

  private static void errorPage(ServletContextHandler context) {
    ErrorPageErrorHandler pages = new ErrorPageErrorHandler();
    pages.addErrorPage(400, 599, "/error");
    context.setErrorHandler(pages);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theApplicationsErrorPageAnswersWhatIsNotRecorded(boolean exception) throws Exception {
    serve(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.ERROR) {
            response.getWriter().print("sorry");
          } else if (exception) {
            response.getWriter().print("half");
            throw new IllegalStateException("made up");
          } else {
            response.sendError(400, "bad");
          }
        },
        ServletBehaviourTest::errorPage);

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.body()).isEqualTo("sorry");
    assertThat(first.statusCode()).isEqualTo(exception ? 500 : 400);
    HttpResponse<String> retry = server.post("", "k");
    assertThat(retry.body()).contains(exception ? "outcome-unknown" : "sorry");
  }

  @Test
  void aStartAsyncAfterADispatchIsPartOfTheExchange() throws Exception {
    serve(
        (request, response) -> {
          response.getOutputStream().print(runs.get() + " ");
          var async = request.startAsync();
          if (runs.get() < 3) {
            async.dispatch();
          } else {
            async.start(async::complete);
          }
        });

    assertReplayed(server.post("", "k"), "1 2 3 ");
    assertThat(runs).hasValue(3);
  }

  @Test
  void aReadListenerGetsTheBodyAfterTheHandlerHasReturned() throws Exception {
    CountDownLatch called = new CountDownLatch(1);
    AtomicBoolean besideTheHandler = new AtomicBoolean();
    serve(
        (request, response) -> {
          var async = request.startAsync();
          var in = request.getInputStream();
          StringBuilder read = new StringBuilder();
          ReadListener listener =
              new ReadListener() {
                @Override
                public void onDataAvailable() throws IOException {
                  called.countDown();
                  byte[] few = new byte[3];
                  while (in.isReady() && !in.isFinished()) {
                    read.append(new String(few, 0, in.read(few), ISO_8859_1));
                  }
                }

                @Override
                public void onAllDataRead() throws IOException {
                  response.getWriter().print(read);
                  async.complete();
                }

                @Override
                public void onError(Throwable failure) {
                  async.complete();
                }
              };
          in.setReadListener(listener);
          assertThatThrownBy(() -> in.setReadListener(listener))
              .isInstanceOf(IllegalStateException.class);
          besideTheHandler.set(isCalledSoon(called));
        });

    HttpResponse<String> first = server.post("ten bytes.", "k");
    assertThat(first.body()).isEqualTo("ten bytes.");
    assertThat(besideTheHandler).isFalse();
    assertThat(server.post("ten bytes.", "k").body()).isEqualTo("ten bytes.");
    assertThat(runs).hasValue(1);
  }

  private static boolean isCalledSoon(CountDownLatch called) {
    try {
      return called.await(100, MILLISECONDS);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void aListenerWithoutStartAsyncIsRefused() throws Exception {
    serve(
        (request, response) -> {
          assertThatThrownBy(() -> request.getInputStream().setReadListener(new NoReading()))
              .isInstanceOf(IllegalStateException.class);
          assertThatThrownBy(() -> response.getOutputStream().setWriteListener(new NoWriting()))
              .isInstanceOf(IllegalStateException.class);
          response.getOutputStream().print("refused");
        });

    assertReplayed(server.post("", "k"), "refused");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aListenerThatThrowsIsTold(boolean reading) throws Exception {
    serve(
        (request, response) -> {
          var async = request.startAsync();
          Broken listener =
              new Broken(
                  () -> {
                    response.setStatus(409);
                    async.complete();
                  });
          if (reading) {
            request.getInputStream().setReadListener(listener);
          } else {
            response.getOutputStream().setWriteListener(listener);
          }
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(409);
    assertReplayed(server.post("", "k"), "");
  }

  private record Broken(Runnable told) implements ReadListener, WriteListener {
    @Override
    public void onDataAvailable() {
      throw new StackOverflowError("made up");
    }

    @Override
    public void onAllDataRead() {
      throw new StackOverflowError("made up");
    }

    @Override
    public void onWritePossible() {
      throw new StackOverflowError("made up");
    }

    @Override
    public void onError(Throwable failure) {
      told.run();
    }
  }

  private static final class NoReading implements ReadListener {
    @Override
    public void onDataAvailable() {}

    @Override
    public void onAllDataRead() {}

    @Override
    public void onError(Throwable failure) {}
  }

  private static final class NoWriting implements WriteListener {
    @Override
    public void onWritePossible() {}

    @Override
    public void onError(Throwable failure) {}
  }

  @Test
  void trailersOfTheRequestAreThereAndThoseOfTheResponseAreSentButNotReplayed() throws Exception {
    serve(
        (request, response) -> {
          assertThat(request.isTrailerFieldsReady()).isTrue();
          String checksum = request.getTrailerFields().get("x-checksum");
          response.setHeader("Trailer", "X-Result");
          response.setTrailerFields(() -> Map.of("X-Result", checksum));
          response.getWriter().print("body");
        });
    String request =
        "POST /app/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: k\r\n"
            + "Transfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n"
            + "4\r\nbody\r\n0\r\nX-Checksum: 42\r\n\r\n";

    String first = raw(request);
    assertThat(first).contains("Transfer-Encoding: chunked").endsWith("0\r\nX-Result: 42\r\n\r\n");
    String replay = raw(request);
    assertThat(replay).contains("Idempotent-Replayed: true", "Content-Length: 4").endsWith("body");
    assertThat(runs).hasValue(1);
  }

  private String raw(String request) throws IOException {
    try (Socket socket = new Socket("127.0.0.1", server.uri().getPort())) {
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), UTF_8);
    }
  }

  @Test
  void resetBufferKeepsTheHead() throws Exception {
    serve(
        (request, response) -> {
          response.setStatus(201);
          response.setHeader("ETag", "\"kept\"");
          response.getWriter().print("old");
          response.resetBuffer();
          response.getWriter().print("new");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.headers().firstValue("ETag")).contains("\"kept\"");
    assertThat(first.statusCode()).isEqualTo(201);
    assertReplayed(first, "new");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 4, 100})
  void theLengthThatIsSentIsTheLengthOfTheBodyWhateverWasDeclared(long declared) throws Exception {
    serve(
        (request, response) -> {
          response.setContentLengthLong(declared);
          response.getOutputStream().print("body");
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.headers().allValues("Content-Length")).containsExactly("4");
    assertReplayed(first, "body");
  }

  @Test
  void aFilterBehindThatCompressesIsReplayedWithItsEncoding() throws Exception {
    Filter compressing =
        (request, response, chain) -> {
          HttpServletResponse answer = (HttpServletResponse) response;
          answer.setHeader("Content-Encoding", "gzip");
          GZIPOutputStream gzip = new GZIPOutputStream(response.getOutputStream());
          chain.doFilter(
              request,
              new HttpServletResponseWrapper(answer) {
                @Override
                public ServletOutputStream getOutputStream() {
                  return new Compressed(gzip);
                }
              });
          gzip.finish();
        };
    serve(
        (request, response) -> response.getOutputStream().print("squeezed"),
        context -> {
          FilterHolder holder = new FilterHolder(compressing);
          holder.setAsyncSupported(true);
          context.addFilter(holder, "/*", EnumSet.of(DispatcherType.REQUEST));
        });

    HttpResponse<byte[]> first = bytes(server.post("", "Idempotency-Key", "k"));
    HttpResponse<byte[]> replay = bytes(server.post("", "Idempotency-Key", "k"));
    assertThat(replay.headers().firstValue("Content-Encoding")).contains("gzip");
    assertThat(replay.body()).isEqualTo(first.body());
    assertThat(new GZIPInputStream(new ByteArrayInputStream(replay.body()))).hasContent("squeezed");
    assertThat(runs).hasValue(1);
  }

  private static HttpResponse<byte[]> bytes(HttpRequest.Builder request) throws Exception {
    return java.net.http.HttpClient.newHttpClient()
        .send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
  }

  private static final class Compressed extends ServletOutputStream {
    private final GZIPOutputStream gzip;

    Compressed(GZIPOutputStream gzip) {
      this.gzip = gzip;
    }

    @Override
    public void write(int b) throws IOException {
      gzip.write(b);
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setWriteListener(WriteListener listener) {
      throw new UnsupportedOperationException();
    }
  }

  @Test
  void theOutcomeIsStoredThoughTheClientHasGone() throws Exception {
    CountDownLatch running = new CountDownLatch(1);
    CountDownLatch gone = new CountDownLatch(1);
    serve(
        (request, response) -> {
          running.countDown();
          await(gone);
          response.getOutputStream().print("x".repeat(100_000));
        });
    try (Socket socket = new Socket("127.0.0.1", server.uri().getPort())) {
      socket
          .getOutputStream()
          .write(
              ("POST /app/v1/transfers HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
                      + "Content-Length: 0\r\n\r\n")
                  .getBytes(ISO_8859_1));
      await(running);
      socket.setSoLinger(true, 0);
    }
    gone.countDown();

    awaitRecord();
    assertReplayed(server.post("", "k"), "x".repeat(100_000));
    assertThat(runs).hasValue(1);
  }

  @Test
  void aClientThatGoesWithinItsBodyDoesNotTakeTheKey() throws Exception {
    serve((request, response) -> response.getOutputStream().print("done"));
    try (Socket socket = new Socket("127.0.0.1", server.uri().getPort())) {
      socket
          .getOutputStream()
          .write(
              ("POST /app/v1/transfers HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
                      + "Content-Length: 9\r\n\r\nhalf")
                  .getBytes(ISO_8859_1));
      socket.shutdownOutput();
      assertThat(new String(socket.getInputStream().readAllBytes(), UTF_8))
          .doesNotContain("HTTP/1.1 2");
    }

    assertThat(engine.admin().find(IdempotencyKey.of("k"))).isEmpty();
    assertThat(server.post("", "k").body()).isEqualTo("done");
  }

  @Test
  void aBodyThatSomebodyHasReadOfBeforeIsNeverTakenForTheWhole() throws Exception {
    Filter filter = TestServer.everything(engine).build();
    server =
        new TestServer(
            (request, response, chain) -> {
              request.getInputStream().read();
              filter.doFilter(request, response, chain);
            },
            (request, response) -> runs.incrementAndGet());

    HttpResponse<String> refused = server.post("body", "k");
    assertThat(refused.statusCode()).isEqualTo(500);
    assertThat(refused.body()).contains("register the filter before whatever reads bodies");
    assertThat(runs).hasValue(0);
  }

  private static final class NoMemory extends VirtualMachineError {
    private static final long serialVersionUID = 1L;
  }

  private static int endless(int depth) {
    return depth < 0 ? 0 : endless(depth + 1) + 1;
  }

  @ParameterizedTest
  @ValueSource(strings = {"stack", "memory", "linkage", "assertion", "async"})
  void aHandlerThatEndsWithAnErrorLeavesTheOutcomeUnknown(String kind) throws Exception {
    serve(
        (request, response) -> {
          response.getWriter().print("half");
          switch (kind) {
            case "stack" -> response.setStatus(endless(0));
            case "memory" -> throw new NoMemory();
            case "linkage" -> throw new NoClassDefFoundError("made up");
            case "assertion" -> throw new AssertionError("made up");
            default -> {
              var unused = request.startAsync();
              throw new NoMemory();
            }
          }
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(500);
    assertThat(first.body()).doesNotContain("half");
    assertThat(server.post("", "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void awaitRecord() {
    long deadline = System.nanoTime() + SECONDS.toNanos(20);
    while (!(engine.admin().find(IdempotencyKey.of("k")).orElse(null)
        instanceof StoredRecord.Completed)) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }
}
