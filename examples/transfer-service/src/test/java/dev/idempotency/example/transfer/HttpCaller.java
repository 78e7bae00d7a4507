package dev.idempotency.example.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A caller of one service over HTTP. */
final class HttpCaller {

  private static final HttpClient CLIENT =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private final URI root;

  HttpCaller(int port) {
    this.root = URI.create("http://127.0.0.1:" + port);
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(root.resolve(path)).timeout(Duration.ofSeconds(20));
  }

  static String order(long amount) {
    return BadInput.VALID.replace("2500", Long.toString(amount));
  }

  private HttpRequest post(String key, String body) {
    return request("/v1/transfers")
        .header("Idempotency-Key", key)
        .header("Content-Type", "application/json")
        .POST(BodyPublishers.ofString(body))
        .build();
  }

  HttpResponse<String> create(String key, String body) throws IOException, InterruptedException {
    return send(post(key, body));
  }

  CompletableFuture<HttpResponse<String>> createAsync(String key, String body) {
    return CLIENT.sendAsync(post(key, body), BodyHandlers.ofString());
  }

  HttpResponse<String> send(HttpRequest request) throws IOException, InterruptedException {
    return CLIENT.send(request, BodyHandlers.ofString());
  }

  HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(request(path).build());
  }

  JsonNode json(String path) throws IOException, InterruptedException {
    return new ObjectMapper().readTree(get(path).body());
  }

  long balance(String account) throws IOException, InterruptedException {
    return json("/v1/accounts/" + account).path("balance").longValue();
  }

  int transfers(String account) throws IOException, InterruptedException {
    return json("/v1/transfers?account=" + account).path("transfers").size();
  }

  static boolean isInFlight(HttpResponse<String> response) {
    return response.statusCode() == 409 && response.body().contains("in-flight");
  }

  static Optional<String> replayed(HttpResponse<?> response) {
    return response.headers().firstValue("Idempotent-Replayed");
  }
}
