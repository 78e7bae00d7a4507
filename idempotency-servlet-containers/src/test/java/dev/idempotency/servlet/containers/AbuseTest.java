package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One caller makes a server with a small heap hold as much as he can: during and after, a plain
 * request and the payment of another caller are answered. Without the bound the same traffic ends
 * the server.
 */
@Timeout(300)
class AbuseTest {

  /** How much of each abuse. */
  private record Size(
      int heapMib, int forms, int answers, int pending, int halfBodies, int waiters) {
    static final Size SHORT = new Size(96, 8, 40, 60, 32, 40);
    static final Size WHOLE = new Size(512, 24, 180, 500, 128, 204);
  }

  /** For a connection that the server closed before it had read the request: its answer is lost. */
  private static final int CLOSED = 0;

  private AbusedProcess server;

  private enum Abuse {
    FORMS,
    LARGE_ANSWERS,
    UNREAD_ANSWERS,
    PENDING_ANSWERS,
    HALF_BODIES,
    WAITERS
  }

  private void abuse(Size size, Abuse abuse) throws Exception {
    server.serves("before");
    switch (abuse) {
      case FORMS -> forms(size);
      case LARGE_ANSWERS -> largeAnswers(size);
      case UNREAD_ANSWERS -> unreadAnswers(size);
      case PENDING_ANSWERS -> pendingAnswers(size);
      case HALF_BODIES -> halfBodies(size);
      case WAITERS -> waiters(size);
    }
    server.serves("after");
    assertThat(server.isAlive()).isTrue();
    awaitNothingHeld();
  }

  private void awaitNothingHeld() throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!server.get("/held").equals("0")) {
      assertThat(System.nanoTime())
          .as("%s bytes are held", server.get("/held"))
          .isLessThan(deadline);
      Thread.onSpinWait();
    }
  }

  /** Meanwhile others are served. */
  private List<Integer> statuses(List<CompletableFuture<HttpResponse<Integer>>> calls) {
    while (calls.stream().anyMatch(call -> !call.isDone())) {
      server.serves("meanwhile");
    }
    return calls.stream().map(AbuseTest::status).toList();
  }

  private static int status(CompletableFuture<HttpResponse<Integer>> call) {
    try {
      return call.join().statusCode();
    } catch (CompletionException closed) {
      return CLOSED;
    }
  }

  private void forms(Size size) {
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
                      .header("Idempotency-Key", "form-" + i),
                  text)));
    }
    // As the container refuses or cuts it without a key, or for want of room.
    assertThat(statuses(calls)).isSubsetOf(withoutKey, 503, CLOSED);
  }

  private static HttpRequest.Builder form(HttpRequest.Builder request, String form) {
    return request
        .header("Content-Type", "application/x-www-form-urlencoded")
        .POST(BodyPublishers.ofString(form));
  }

  private void largeAnswers(Size size) {
    assertThat(statuses(largeAnswers("answer-", size.answers()))).containsOnly(200);
  }

  private List<CompletableFuture<HttpResponse<Integer>>> largeAnswers(String key, int count) {
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      calls.add(
          server.send(
              server
                  .greedy("/large", key + i, BodyPublishers.ofString("x"))
                  .header("X-Together", Integer.toString(count))));
    }
    return calls;
  }

  /** Clients that do not read their answers. */
  private void unreadAnswers(Size size) throws Exception {
    assumeTrue(
        !Container.nameOfThisRun().equals("Undertow"),
        "they hold all of its few threads, without keys too");
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < size.answers(); i++) {
        Socket socket = new Socket("127.0.0.1", server.port());
        sockets.add(socket);
        write(
            socket,
            ("POST /large HTTP/1.1\r\nHost: a\r\nX-Tenant: greedy\r\nIdempotency-Key: unread-"
                    + i
                    + "\r\nX-Together: "
                    + size.answers()
                    + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .getBytes(ISO_8859_1));
        if (i % 8 == 0) {
          server.serves("while " + i + " answers are not read");
        }
      }
      for (int i = 0; i < 20; i++) {
        server.serves("while answers are not read");
      }
      for (Socket socket : sockets) {
        assertThat(socket.getInputStream().readAllBytes().length).isGreaterThan(AbusedServer.LARGE);
      }
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  private void pendingAnswers(Size size) throws Exception {
    server.get("/away");
    try {
      for (int sent = 0; sent < size.pending(); sent += 20) {
        assertThat(statuses(largeAnswers("pending-" + sent + "-", 20))).containsOnly(200);
      }
    } finally {
      server.get("/back");
    }
  }

  private void halfBodies(Size size) throws Exception {
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
          server.serves("while " + i + " bodies have not come");
        }
      }
      for (int i = 0; i < 5; i++) {
        server.serves("while half bodies are held");
      }
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  private static void write(Socket socket, byte[] bytes) {
    try {
      socket.getOutputStream().write(bytes);
    } catch (java.io.IOException refused) {
      // And so much the better.
    }
  }

  private void waiters(Size size) throws Exception {
    String body = "x".repeat(1024 * 1024);
    List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
    for (int i = 0; i < size.waiters(); i++) {
      calls.add(server.send(server.greedy("/slow", "slow", BodyPublishers.ofString(body))));
      if (i % 8 == 0) {
        server.serves("while " + i + " wait");
      }
    }
    // Until all have come: those that found no room are answered.
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (calls.stream().filter(CompletableFuture::isDone).count()
            + Integer.parseInt(server.get("/waiting"))
        < size.waiters() - 1) {
      server.serves("while they wait");
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    while (calls.stream().anyMatch(call -> !call.isDone())) {
      server.get("/go");
      assertThat(System.nanoTime()).isLessThan(deadline);
    }
    assertThat(calls.stream().map(AbuseTest::status).toList())
        .contains(201)
        .allMatch(status -> status == 201 || status == 409 || status == 503);
  }

  @Test
  void othersAreServedWhateverOneCallerSends() throws Exception {
    assumeTrue(
        Container.nameOfThisRun().equals("Tomcat 11"), "the others in the soak profile, for time");
    try (AbusedProcess started = new AbusedProcess(Size.SHORT.heapMib(), true)) {
      server = started;
      for (Abuse abuse : Abuse.values()) {
        abuse(Size.SHORT, abuse);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  @Tag("soak")
  void othersAreServedInFullSize(Abuse abuse) throws Exception {
    try (AbusedProcess started = new AbusedProcess(Size.WHOLE.heapMib(), true)) {
      server = started;
      abuse(Size.WHOLE, abuse);
    }
  }

  /** The control: it is the bound that keeps the server alive. */
  @Test
  @Tag("soak")
  void withoutTheBoundTheSameAnswersEndTheServer() throws Exception {
    try (AbusedProcess started = new AbusedProcess(Size.SHORT.heapMib(), false)) {
      server = started;
      List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
      server.get("/away");
      for (int sent = 0; sent < 500 && server.isAlive(); sent += 20) {
        calls.addAll(largeAnswers("pending-" + sent + "-", 20));
        calls.forEach(AbuseTest::status);
      }
      assertThat(server.hasDied()).isTrue();
    }
  }

  /** The control: the same traffic without keys, which the container itself holds. */
  @Test
  @Tag("soak")
  void withoutKeysTheSameTrafficIsServed() throws Exception {
    try (AbusedProcess started = new AbusedProcess(Size.WHOLE.heapMib(), false)) {
      server = started;
      List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
      for (int i = 0; i < Size.WHOLE.answers(); i++) {
        calls.add(
            server.send(
                server
                    .request("/large")
                    .header("X-Together", Integer.toString(Size.WHOLE.answers()))
                    .POST(BodyPublishers.ofString("x"))));
      }
      assertThat(statuses(calls)).containsOnly(200);
    }
  }
}
