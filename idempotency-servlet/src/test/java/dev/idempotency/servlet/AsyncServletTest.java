package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Handlers that answer from another thread. */
class AsyncServletTest {

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final AtomicInteger runs = new AtomicInteger();
  private TestServer server;

  private void serve(EnumSet<DispatcherType> dispatchers, TestServer.Handler handler)
      throws Exception {
    server =
        new TestServer(
            hidden(TestServer.everything(engine).build()),
            (request, response) -> {
              runs.incrementAndGet();
              handler.handle(request, response);
            },
            dispatchers,
            20);
  }

  /** Behind a filter that the container knows instead of it, and so cannot map. */
  private static Filter hidden(IdempotencyFilter filter) {
    return filter::doFilter;
  }

  private void serve(TestServer.Handler handler) throws Exception {
    serve(EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC), handler);
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
  void completeStoresTheOutcomeThenSendsIt() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          async.start(
              () -> {
                print(async, "later");
                async.complete();
              });
        });

    assertReplayed(server.post("", "k"), "later");
    assertThat(runs).hasValue(1);
  }

  @Test
  void completeInsideTheHandlerWorksToo() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          print(async, "at once");
          async.complete();
        });

    assertReplayed(server.post("", "k"), "at once");
  }

  @Test
  void dispatchIsPartOfTheExchange() throws Exception {
    serve(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.ASYNC) {
            response.getWriter().print(" second");
          } else {
            response.getWriter().print("first");
            AsyncContext async = request.startAsync();
            async.start(async::dispatch);
          }
        });

    assertReplayed(server.post("", "k"), "first second");
    assertThat(runs).hasValue(2);
  }

  @Test
  void aDispatchPastTheFilterIsNeverAnEmptySuccess() throws Exception {
    serve(
        EnumSet.of(DispatcherType.REQUEST),
        (request, response) -> {
          if (request.getDispatcherType() != DispatcherType.ASYNC) {
            AsyncContext async = request.startAsync();
            async.start(async::dispatch);
          }
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(500);
    assertThat(server.post("", "k").statusCode()).isEqualTo(409);
    assertThat(runs).hasValue(2);
  }

  @Test
  void anExceptionAfterADispatchIsInDoubt() throws Exception {
    serve(
        (request, response) -> {
          if (request.getDispatcherType() == DispatcherType.ASYNC) {
            throw new IllegalStateException("made up");
          }
          request.startAsync().dispatch();
        });

    assertThat(server.post("", "k").statusCode()).isEqualTo(500);
    assertThat(server.post("", "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(2);
  }

  @Test
  void aTimeoutIsInDoubt() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          async.setTimeout(50);
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(500);
    assertThat(first.body()).contains("handler-failed");
    assertThat(server.post("", "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  /** Frameworks answer so when work takes too long; it may still come to its end. */
  @Test
  void asynchronousWorkThatIsUnavailableIsInDoubt() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          response.setStatus(503);
          print(async, "too late");
          async.complete();
        });

    HttpResponse<String> first = server.post("", "k");
    assertThat(first.statusCode()).isEqualTo(503);
    assertThat(first.body()).isEqualTo("too late");
    assertThat(server.post("", "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(1);
  }

  @Test
  void aListenerMayAnswerATimeout() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          async.setTimeout(50);
          async.addListener(new AnswerTimeout());
        });

    assertReplayed(server.post("", "k"), "timed out");
  }

  @Test
  void aWriteListenerWritesIntoTheRecord() throws Exception {
    serve(
        (request, response) -> {
          AsyncContext async = request.startAsync();
          ServletOutputStream out = response.getOutputStream();
          out.setWriteListener(
              new WriteListener() {
                @Override
                public void onWritePossible() throws IOException {
                  if (out.isReady()) {
                    out.print("written");
                  }
                  async.complete();
                }

                @Override
                public void onError(Throwable failure) {
                  async.complete();
                }
              });
        });

    assertReplayed(server.post("", "k"), "written");
  }

  private static void print(AsyncContext async, String text) {
    try {
      ((HttpServletResponse) async.getResponse()).getWriter().print(text);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final class AnswerTimeout implements AsyncListener {
    @Override
    public void onTimeout(AsyncEvent event) {
      print(event.getAsyncContext(), "timed out");
      event.getAsyncContext().complete();
    }

    @Override
    public void onComplete(AsyncEvent event) {}

    @Override
    public void onError(AsyncEvent event) {}

    @Override
    public void onStartAsync(AsyncEvent event) {}
  }
}
