package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.testing.PayingCallers.Answer;
import dev.idempotency.testing.PayingCallers.Kind;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * One caller who makes a server hold as much as he can.
 *
 * @param size how much of each abuse
 * @param alone whether nothing else keeps the server busy, so that what he is answered is known
 * @param meanwhile checks that others are served; is given when that is
 */
record Abuser(AbusedProcess server, Size size, boolean alone, Consumer<String> meanwhile) {

  record Size(int heapMib, int forms, int answers, int pending, int halfBodies, int waiters) {
    static final Size SHORT = new Size(96, 8, 40, 40, 32, 40);
    static final Size WHOLE = new Size(512, 24, 180, 500, 128, 204);
  }

  enum Abuse {
    FORMS("forms with 242,000 names"),
    LARGE_ANSWERS("answers of 1 MB at once"),
    UNREAD_ANSWERS("answers of 1 MB that are not read"),
    PENDING_ANSWERS("answers of 1 MB over a slow link to Redis"),
    HALF_BODIES("bodies that do not end"),
    WAITERS("duplicates of 1 MiB that wait"),
    RESET_REQUESTS("asynchronous requests of 1 MB, reset over HTTP/2"),
    PLACES("more small duplicates than places to wait"),
    DEEP_JSON("JSON of 1 MB, 198 levels deep"),
    RECORDS("records of 1 MB each, a Redis of 64 MB"),
    KEYS_OF_OTHERS("the keys of others, with and without an account");

    final String title;

    Abuse(String title) {
      this.title = title;
    }
  }

  /** For a connection that the server closed before it had read the request: its answer is lost. */
  private static final int CLOSED = 0;

  void abuse(Abuse abuse) throws Exception {
    switch (abuse) {
      case FORMS -> forms();
      case LARGE_ANSWERS -> assertAnswers(statuses(large("/large", size.answers())), 200);
      case UNREAD_ANSWERS -> unreadAnswers();
      case PENDING_ANSWERS -> pendingAnswers();
      case HALF_BODIES -> halfBodies();
      case WAITERS -> waiters();
      case RESET_REQUESTS -> resetRequests();
      case PLACES -> places();
      case DEEP_JSON -> deepJson();
      case RECORDS -> assertAnswers(statuses(large("/keep", 36)), 429, 200);
      case KEYS_OF_OTHERS -> keysOfOthers();
    }
    awaitNothing("/held");
  }

  private void assertAnswers(List<Integer> statuses, Integer... expected) {
    if (alone) {
      assertThat(statuses).isSubsetOf(expected).contains(expected[0]);
    }
  }

  /**
   * Waits until the server says that it has none. Lets its handlers go again and again: one that
   * was reset may start only now, when nobody waits for it.
   */
  void awaitNothing(String what) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!server.get(what).equals("0")) {
      server.get("/go");
      assertThat(System.nanoTime()).as(what + " " + server.get(what)).isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** Meanwhile others are served. */
  List<Integer> statuses(List<CompletableFuture<HttpResponse<Integer>>> calls) {
    while (calls.stream().anyMatch(call -> !call.isDone())) {
      meanwhile.accept("meanwhile");
    }
    return calls.stream().map(Abuser::status).toList();
  }

  static int status(CompletableFuture<HttpResponse<Integer>> call) {
    try {
      return call.join().statusCode();
    } catch (CompletionException closed) {
      return CLOSED;
    }
  }

  private static String key() {
    return java.util.UUID.randomUUID().toString();
  }

  private void forms() {
    StringBuilder form = new StringBuilder("a=1");
    for (int i = 0; i < 242_000; i++) {
      form.append('&').append(Integer.toString(i, 36));
    }
    form.setLength(940 * 1024);
    String text = form.toString();
    int withoutKey = status(server.send(form(server.request("/form"), text)));
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < size.forms(); i++) {
      calls.add(
          server.send(
              form(
                  server
                      .request("/form")
                      .header("X-Tenant", "greedy")
                      .header("Idempotency-Key", key()),
                  text)));
    }
    // As the container refuses or cuts it without a key, or for want of room.
    List<Integer> statuses = statuses(calls);
    assertThat(alone ? statuses : List.<Integer>of()).isSubsetOf(withoutKey, 503, CLOSED);
  }

  private static HttpRequest.Builder form(HttpRequest.Builder request, String form) {
    return request
        .header("Content-Type", "application/x-www-form-urlencoded")
        .POST(BodyPublishers.ofString(form));
  }

  List<CompletableFuture<HttpResponse<Integer>>> large(String path, int count) {
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(
          server.send(
              server
                  .greedy(path, key(), BodyPublishers.ofString("x"))
                  .header("X-Together", Integer.toString(count))));
    }
    return calls;
  }

  /** Clients that do not read their answers. */
  private void unreadAnswers() throws Exception {
    // They hold all of Undertow's few threads, without keys too.
    int clients = Container.nameOfThisRun().equals("Undertow") ? 4 : size.answers();
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < clients; i++) {
        Socket socket = new Socket("127.0.0.1", server.port());
        sockets.add(socket);
        write(
            socket,
            ("POST /large HTTP/1.1\r\nHost: a\r\nX-Tenant: greedy\r\nIdempotency-Key: "
                    + key()
                    + "\r\nX-Together: "
                    + clients
                    + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .getBytes(ISO_8859_1));
        if (i % 8 == 0) {
          meanwhile.accept("while " + i + " answers are not read");
        }
      }
      for (int i = 0; i < 20; i++) {
        meanwhile.accept("while answers are not read");
      }
      for (Socket socket : sockets) {
        int length = socket.getInputStream().readAllBytes().length;
        assertThat(!alone || length > AbusedShop.LARGE).as("answered %d bytes", length).isTrue();
      }
    } finally {
      close(sockets);
    }
  }

  private static void close(List<Socket> sockets) throws IOException {
    for (Socket socket : sockets) {
      socket.close();
    }
  }

  private void pendingAnswers() throws Exception {
    server.slowLink();
    try {
      for (int sent = 0; sent < size.pending(); sent += 40) {
        assertAnswers(statuses(large("/pending", 40)), 200);
      }
    } finally {
      server.healLink();
    }
  }

  private void halfBodies() throws Exception {
    List<Socket> sockets = new ArrayList<>();
    try {
      byte[] head =
          ("POST /pay HTTP/1.1\r\nHost: a\r\nX-Tenant: greedy\r\nIdempotency-Key: half\r\n"
                  + "Content-Length: 1048576\r\n\r\n"
                  + "x".repeat(600_000))
              .getBytes(ISO_8859_1);
      for (int i = 0; i < size.halfBodies(); i++) {
        Socket socket = new Socket("127.0.0.1", server.port());
        sockets.add(socket);
        CompletableFuture<Void> unused =
            CompletableFuture.runAsync(() -> write(socket, head), task -> new Thread(task).start());
        if (i % 8 == 0) {
          meanwhile.accept("while " + i + " bodies have not come");
        }
      }
      for (int i = 0; i < 5; i++) {
        meanwhile.accept("while half bodies are held");
      }
    } finally {
      close(sockets);
    }
  }

  private static void write(Socket socket, byte[] bytes) {
    try {
      socket.getOutputStream().write(bytes);
    } catch (IOException refused) {
      // And so much the better.
    }
  }

  private void waiters() throws Exception {
    String body = "x".repeat(1024 * 1024);
    String key = key();
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < size.waiters(); i++) {
      calls.add(server.send(server.greedy("/slow", key, BodyPublishers.ofString(body))));
      if (i % 8 == 0) {
        meanwhile.accept("while " + i + " wait");
      }
    }
    goUntilDone(calls);
    assertAnswers(calls.stream().map(Abuser::status).toList(), 201, 409, 503);
  }

  /** One by one, as the server has run what was there. */
  private void goUntilDone(List<CompletableFuture<HttpResponse<Integer>>> calls) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (calls.stream().anyMatch(call -> !call.isDone())) {
      meanwhile.accept("while they wait");
      server.get("/go");
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
  }

  /** The handler holds the body of what was reset, and so does the caller's share. */
  private void resetRequests() throws Exception {
    HttpClient http2 = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
    http2.send(server.request("/plain").build(), HttpResponse.BodyHandlers.discarding());
    String body = "x".repeat(1_000_000);
    for (int i = 0; i < size.answers(); i++) {
      CompletableFuture<HttpResponse<Void>> call =
          http2.sendAsync(
              server.greedy("/async", key(), BodyPublishers.ofString(body)).build(),
              HttpResponse.BodyHandlers.discarding());
      meanwhile.accept("while " + i + " requests were reset");
      call.cancel(true);
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    do {
      server.get("/go");
      assertThat(System.nanoTime()).as("held " + server.get("/held")).isLessThan(deadline);
    } while (!server.get("/held").equals("0"));
  }

  /** A duplicate of somebody else finds a place all the same. */
  private void places() throws Exception {
    List<String> keys = List.of(key(), key(), key());
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < 150; i++) {
      calls.add(server.send(server.greedy("/slow", keys.get(i % 3), BodyPublishers.ofString("x"))));
    }
    String mine = key();
    List<CompletableFuture<HttpResponse<Integer>>> others = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      others.add(
          server.send(
              server
                  .request("/slow")
                  .header("X-Tenant", "other")
                  .header("Idempotency-Key", mine)
                  .POST(BodyPublishers.ofString("x"))));
    }
    for (int i = 0; i < 5; i++) {
      meanwhile.accept("while all places of one caller are taken");
    }
    goUntilDone(calls);
    goUntilDone(others);
    assertAnswers(calls.stream().map(Abuser::status).toList(), 201, 409);
    assertAnswers(others.stream().map(Abuser::status).toList(), 201);
  }

  private void deepJson() {
    String deep = "[".repeat(198) + "]".repeat(198);
    StringBuilder json = new StringBuilder("[").append(deep);
    while (json.length() < 1_000_000) {
      json.append(',').append(deep);
    }
    String text = json.append(']').toString();
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < size.forms(); i++) {
      calls.add(
          server.send(
              server
                  .greedy("/pay", key(), BodyPublishers.ofString(text))
                  .header("Content-Type", "application/json")));
    }
    assertAnswers(statuses(calls), 201, 503, CLOSED);
  }

  /** They are other keys, for him. */
  private void keysOfOthers() throws Exception {
    for (int i = 1; i <= 50; i++) {
      String key = "order-" + i;
      Answer his = server.pay("greedy", key, i);
      assertThat(his.text()).doesNotContain("alice").doesNotContain("bob");
      assertThat(his.kind() == Kind.PAID || his.kind() == Kind.REPLAYED || !alone).isTrue();
      HttpRequest stranger =
          server
              .request("/public")
              .header("Idempotency-Key", key)
              .POST(BodyPublishers.ofString("1"))
              .build();
      HttpResponse<String> answer =
          HttpClient.newHttpClient().send(stranger, HttpResponse.BodyHandlers.ofString());
      assertThat(answer.body()).doesNotContain("alice").doesNotContain("bob");
      assertThat(answer.statusCode() == 201 || !alone).isTrue();
    }
  }
}
