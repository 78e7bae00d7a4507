package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import javax.net.ssl.SSLSession;

/** Answers requests by a script, in manual time; the last reply is repeated. */
final class ScriptedServer implements HttpTransport {

  static final URI TARGET = URI.create("http://bank.example/v1/transfers");

  /** A problem type of our own server. */
  static String problemType(String slug) {
    return "urn:idempotency-key:problem:" + slug;
  }

  /** One reply; {@code failure} instead of a status, or neither for none at all. */
  record Reply(
      int status,
      Map<String, String> headers,
      String body,
      Throwable failure,
      RuntimeException thrown,
      Duration after) {

    static Reply status(int status) {
      return new Reply(status, Map.of(), "", null, null, Duration.ZERO);
    }

    static Reply problem(int status, String slug) {
      return status(status)
          .header("Content-Type", "application/problem+json")
          .body("{\"type\":\"" + problemType(slug) + "\"}");
    }

    static Reply fails(Throwable failure) {
      return new Reply(0, Map.of(), "", failure, null, Duration.ZERO);
    }

    static Reply throwing(RuntimeException thrown) {
      return new Reply(0, Map.of(), "", null, thrown, Duration.ZERO);
    }

    static Reply silence() {
      return new Reply(0, Map.of(), "", null, null, Duration.ZERO);
    }

    Reply header(String name, String value) {
      Map<String, String> more = new java.util.HashMap<>(headers);
      more.put(name, value);
      return new Reply(status, more, body, failure, thrown, after);
    }

    Reply body(String text) {
      return new Reply(status, headers, text, failure, thrown, after);
    }

    Reply after(Duration latency) {
      return new Reply(status, headers, body, failure, thrown, latency);
    }
  }

  /** What came in. */
  record Seen(String method, Optional<String> key, String body, Duration at, HttpHeaders headers) {}

  final List<Seen> seen = new ArrayList<>();
  int cancelled;
  int unread;
  private final ManualTime time;
  private final Deque<Reply> script = new ArrayDeque<>();

  ScriptedServer(ManualTime time, Reply... replies) {
    this.time = time;
    script.addAll(List.of(replies));
  }

  void script(Reply... replies) {
    script.clear();
    script.addAll(List.of(replies));
  }

  @Override
  public <T> CompletableFuture<HttpResponse<T>> send(
      HttpRequest request, HttpResponse.BodyHandler<T> handler) {
    Reply reply = script.size() > 1 ? script.remove() : script.element();
    if (reply.thrown() != null) {
      throw reply.thrown();
    }
    seen.add(
        new Seen(
            request.method(),
            request.headers().firstValue("Idempotency-Key"),
            bodyOf(request),
            time.passed(),
            request.headers()));
    CompletableFuture<HttpResponse<T>> answer = new CompletableFuture<>();
    var unused =
        answer.whenComplete(
            (value, failure) -> {
              if (answer.isCancelled()) {
                cancelled++;
              }
            });
    if (reply.status() != 0 || reply.failure() != null) {
      var unusedToo =
          time.schedule(
              () -> {
                if (reply.failure() != null) {
                  answer.completeExceptionally(reply.failure());
                } else {
                  answer.complete(respond(request, handler, reply));
                }
              },
              reply.after().toNanos());
    }
    return answer;
  }

  private <T> HttpResponse<T> respond(
      HttpRequest request, HttpResponse.BodyHandler<T> handler, Reply reply) {
    Map<String, List<String>> lists = new java.util.HashMap<>();
    reply.headers().forEach((name, value) -> lists.put(name, List.of(value)));
    HttpHeaders headers = HttpHeaders.of(lists, (name, value) -> true);
    HttpResponse.BodySubscriber<T> subscriber =
        handler.apply(
            new HttpResponse.ResponseInfo() {
              @Override
              public int statusCode() {
                return reply.status();
              }

              @Override
              public HttpHeaders headers() {
                return headers;
              }

              @Override
              public HttpClient.Version version() {
                return HttpClient.Version.HTTP_1_1;
              }
            });
    byte[] bytes = reply.body().getBytes(UTF_8);
    subscriber.onSubscribe(
        new Flow.Subscription() {
          @Override
          public void request(long n) {}

          @Override
          public void cancel() {
            unread++;
          }
        });
    // Byte by byte for small bodies: no reader may rely on where buffers end.
    int step = bytes.length > 10_000 ? 1_000 : 1;
    for (int at = 0; at < bytes.length; at += step) {
      subscriber.onNext(
          List.of(ByteBuffer.wrap(bytes, at, Math.min(step, bytes.length - at)).slice()));
    }
    subscriber.onComplete();
    T body = subscriber.getBody().toCompletableFuture().join();
    return new Response<>(request, reply.status(), headers, body);
  }

  private static String bodyOf(HttpRequest request) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    CompletableFuture<Void> end = new CompletableFuture<>();
    request
        .bodyPublisher()
        .ifPresentOrElse(
            publisher ->
                publisher.subscribe(
                    new Flow.Subscriber<>() {
                      @Override
                      public void onSubscribe(Flow.Subscription subscription) {
                        subscription.request(Long.MAX_VALUE);
                      }

                      @Override
                      public void onNext(ByteBuffer buffer) {
                        byte[] bytes = new byte[buffer.remaining()];
                        buffer.get(bytes);
                        whole.writeBytes(bytes);
                      }

                      @Override
                      public void onError(Throwable failure) {
                        end.completeExceptionally(failure);
                      }

                      @Override
                      public void onComplete() {
                        end.complete(null);
                      }
                    }),
            () -> end.complete(null));
    end.join();
    return whole.toString(UTF_8);
  }

  private record Response<T>(HttpRequest request, int statusCode, HttpHeaders headers, T body)
      implements HttpResponse<T> {

    @Override
    public Optional<HttpResponse<T>> previousResponse() {
      return Optional.empty();
    }

    @Override
    public Optional<SSLSession> sslSession() {
      return Optional.empty();
    }

    @Override
    public URI uri() {
      return request.uri();
    }

    @Override
    public HttpClient.Version version() {
      return HttpClient.Version.HTTP_1_1;
    }
  }
}
