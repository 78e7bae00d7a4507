package com.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.client.RetryingHttpClient;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.v1.PolicyProto;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.boot.SpringApplication;
import org.springframework.context.ConfigurableApplicationContext;
import redis.embedded.RedisExecProvider;

class ApplicationTest {

  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  private static Process redis;
  private static ConfigurableApplicationContext application;

  @BeforeAll
  static void start() throws Exception {
    int port = freePort();
    File binary = RedisExecProvider.defaultProvider().get();
    redis =
        new ProcessBuilder(
                binary.getPath(), "--port", "" + port, "--save", "", "--bind", "127.0.0.1")
            .redirectErrorStream(true)
            .start();
    awaitReady(redis);
    application =
        SpringApplication.run(
            Application.class, "--server.port=0", "--redis=redis://127.0.0.1:" + port);
  }

  @AfterAll
  static void stop() {
    if (application != null) {
      application.close();
    }
    redis.destroyForcibly();
  }

  @ParameterizedTest
  @ValueSource(strings = {"/transfers", "/callable", "/deferred", "/emitter", "/streamed"})
  void aRetryGetsTheAnswerOfTheFirst(String path) throws Exception {
    String key = UUID.randomUUID().toString();
    int before = Transfers.DONE.get();

    HttpResponse<String> first = post(path, key, 2500);
    HttpResponse<String> retry = post(path, key, 2500);

    assertEquals(path.equals("/transfers") ? 201 : 200, first.statusCode(), first.body());
    assertTrue(first.body().contains("2500"), first.body());
    assertEquals(first.statusCode(), retry.statusCode());
    assertEquals(first.body(), retry.body());
    assertEquals(
        first.headers().firstValue("Content-Type"), retry.headers().firstValue("Content-Type"));
    assertFalse(first.headers().firstValue("Idempotent-Replayed").isPresent());
    assertEquals("true", retry.headers().firstValue("Idempotent-Replayed").orElse(""));
    assertEquals(before + 1, Transfers.DONE.get());
  }

  @Test
  void ofManyAtOnceOneRuns() {
    String key = UUID.randomUUID().toString();
    int before = Transfers.DONE.get();

    List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 64; i++) {
      answers.add(CLIENT.sendAsync(request("/transfers", key, 100), BodyHandlers.ofString()));
    }

    Set<String> bodies =
        answers.stream().map(CompletableFuture::join).map(HttpResponse::body).collect(Collectors.toSet());
    assertEquals(1, bodies.size(), bodies.toString());
    assertEquals(before + 1, Transfers.DONE.get());
  }

  @Test
  void anotherBodyIsRefused() throws Exception {
    String key = UUID.randomUUID().toString();
    post("/transfers", key, 2500);
    int before = Transfers.DONE.get();

    assertEquals(422, post("/transfers", key, 9900).statusCode());
    assertEquals(before, Transfers.DONE.get());
  }

  @Test
  void aRequestWithoutAKeyIsRefused() throws Exception {
    int before = Transfers.DONE.get();
    HttpRequest plain =
        HttpRequest.newBuilder(uri("/transfers"))
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString("{}"))
            .build();

    assertEquals(400, CLIENT.send(plain, BodyHandlers.ofString()).statusCode());
    assertEquals(before, Transfers.DONE.get());
  }

  @Test
  void anErrorIsTheFrameworksOwn() throws Exception {
    HttpResponse<String> refused = post("/refused", UUID.randomUUID().toString(), 1);

    assertEquals(409, refused.statusCode());
    assertTrue(refused.body().contains("\"path\":\"/refused\""), refused.body());
    assertFalse(refused.body().contains("4711"), refused.body());
  }

  /** The classes that are bound to versions of protobuf and gRPC. */
  @Test
  void interceptorAndClientAreBuilt() {
    assertNotNull(PolicyProto.getDescriptor());
    assertNotNull(
        IdempotencyInterceptor.builder(application.getBean(IdempotencyEngine.class))
            .scopeByMetadata("x-api-key")
            .build());
    assertNotNull(RetryingHttpClient.create(CLIENT));
  }

  private static HttpResponse<String> post(String path, String key, int amount) throws Exception {
    return CLIENT.send(request(path, key, amount), BodyHandlers.ofString());
  }

  private static HttpRequest request(String path, String key, int amount) {
    return HttpRequest.newBuilder(uri(path))
        .header("Content-Type", "application/json")
        .header("X-Api-Key", "alice")
        .header("Idempotency-Key", key)
        .POST(BodyPublishers.ofString("{\"amount\":" + amount + "}"))
        .build();
  }

  private static URI uri(String path) {
    return URI.create(
        "http://localhost:" + application.getEnvironment().getProperty("local.server.port") + path);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static void awaitReady(Process server) throws IOException {
    BufferedReader said = new BufferedReader(new InputStreamReader(server.getInputStream()));
    String line = said.readLine();
    while (line != null && !line.contains("Ready to accept connections")) {
      line = said.readLine();
    }
    assertNotNull(line, "Redis does not start");
  }
}
