package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RecordedResponse;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.scenario.Call;
import dev.idempotency.testing.scenario.Reply;
import dev.idempotency.testing.scenario.Transport;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Plays the shared scenarios over HTTP, on a container. */
record ServletTransport(Container container, HttpClient.Version version) implements Transport {

  private static final String CALLER = "X-Caller";
  private static final Pattern PROBLEM = Pattern.compile("urn:idempotency-key:problem:([a-z-]+)");

  @Override
  public String toString() {
    return Container.nameOfThisRun() + ", " + version;
  }

  @Override
  public String column() {
    return Container.nameOfThisRun();
  }

  @Override
  public Server serve(IdempotencyEngine engine, Handler handler) throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .scope(request -> Optional.ofNullable(request.getHeader(CALLER)))
            .route("POST", path(Call.Route.REFUSE), RoutePolicy.required().rejectInFlight())
            .route(
                "POST",
                path(Call.Route.WAIT),
                RoutePolicy.required().waitInFlight(Duration.ofSeconds(20)))
            .route("POST", path(Call.Route.OPTIONAL), RoutePolicy.optional())
            .route(
                "POST",
                path(Call.Route.SMALL),
                RoutePolicy.required().maxRequestBytes(SMALL_REQUEST))
            .build();
    Container.Running running = container.start(List.of(filter), new ScenarioServlet(handler));
    HttpClient client = HttpClient.newBuilder().version(version).build();
    return new Running(running, client, version);
  }

  private static String path(Call.Route route) {
    return "/" + route.name().toLowerCase(Locale.ROOT);
  }

  private record Running(Container.Running running, HttpClient client, HttpClient.Version version)
      implements Server {

    private HttpRequest.Builder request(String path) {
      return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + running.port() + path));
    }

    @Override
    public CompletableFuture<Reply> send(Call call) {
      HttpRequest.Builder request =
          request(path(call.route())).POST(BodyPublishers.ofByteArray(call.body()));
      call.key().ifPresent(key -> request.header("Idempotency-Key", key));
      call.caller().ifPresent(caller -> request.header(CALLER, caller));
      connect();
      CompletableFuture<HttpResponse<byte[]>> sent =
          client.sendAsync(request.build(), BodyHandlers.ofByteArray());
      CompletableFuture<Reply> reply = sent.thenApply(this::reply);
      var unused =
          reply.whenComplete(
              (end, failure) -> {
                if (reply.isCancelled()) {
                  sent.cancel(true);
                }
              });
      return reply;
    }

    /** The upgrade to HTTP/2 without TLS is made by a request without a body. */
    private void connect() {
      if (version == HttpClient.Version.HTTP_2) {
        client.sendAsync(request("/").build(), BodyHandlers.discarding()).join();
      }
    }

    private Reply reply(HttpResponse<byte[]> response) {
      assertThat(response.version()).isEqualTo(version);
      Reply.Kind kind = kind(response);
      return new Reply(
          kind,
          kind == Reply.Kind.RESULT ? response.body() : new byte[0],
          response.headers().firstValue("Idempotent-Replayed").isPresent(),
          response
              .headers()
              .firstValue("Retry-After")
              .map(seconds -> Duration.ofSeconds(Long.parseLong(seconds))));
    }

    private static Reply.Kind kind(HttpResponse<byte[]> response) {
      return problem(response)
          .orElseGet(
              () ->
                  switch (response.statusCode()) {
                    case 200 -> Reply.Kind.RESULT;
                    case 422 -> Reply.Kind.DECLINED;
                    case 429 -> Reply.Kind.TURNED_AWAY;
                    case 500 -> Reply.Kind.FAILED;
                    default -> throw new AssertionError("unexpected: " + response);
                  });
    }

    private static Optional<Reply.Kind> problem(HttpResponse<byte[]> response) {
      boolean isProblem =
          response
              .headers()
              .firstValue("Content-Type")
              .filter(type -> type.startsWith("application/problem+json"))
              .isPresent();
      Matcher type = PROBLEM.matcher(isProblem ? new String(response.body(), UTF_8) : "");
      if (!type.find()) {
        return Optional.empty();
      }
      return Optional.of(
          switch (response.statusCode() + " " + type.group(1)) {
            case "400 key-missing" -> Reply.Kind.KEY_MISSING;
            case "400 key-malformed" -> Reply.Kind.KEY_MALFORMED;
            case "413 request-too-large" -> Reply.Kind.REQUEST_TOO_LARGE;
            case "422 key-reused" -> Reply.Kind.KEY_REUSED;
            case "409 in-flight" -> Reply.Kind.IN_FLIGHT;
            case "409 outcome-unknown" -> Reply.Kind.OUTCOME_UNKNOWN;
            case "409 response-not-kept" -> Reply.Kind.RESULT_NOT_KEPT;
            case "500 handler-failed" -> Reply.Kind.FAILED;
            case "503 store-unavailable" -> Reply.Kind.STORE_UNAVAILABLE;
            default -> throw new AssertionError("unexpected: " + type.group(1));
          });
    }

    @Override
    public Outcome outcomeOf(byte[] result) {
      return RecordedResponse.of(200)
          .header("Content-Type", "application/octet-stream")
          .body(result)
          .toOutcome();
    }

    @Override
    public IdempotencyKey keyOf(Call call) {
      return new IdempotencyKey(
          call.caller().map(caller -> "scope:" + caller).orElse("anonymous"),
          call.key().orElseThrow());
    }

    @Override
    public void close() throws Exception {
      running.stop().close();
    }
  }
}
