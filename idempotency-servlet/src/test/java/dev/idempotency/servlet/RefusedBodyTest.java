package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import dev.idempotency.MemoryReservation;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.Filter;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Requests that are refused before their body has arrived: a client that reuses its connection must
 * not lose the next one. On a bare socket, because a client library hides when it sends what.
 */
@Timeout(30)
class RefusedBodyTest {

  private static final String BAD_KEY = "Idempotency-Key: a b\r\n";
  private static final int TOO_MUCH = RequestBody.MAX_DISCARDED + 1;

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.builder().build());
  private final CountDownLatch bodyAsked = new CountDownLatch(1);
  private TestServer server;
  private Socket socket;
  private BufferedReader answers;

  @BeforeEach
  void serve() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .route("POST", "/keyed", RoutePolicy.required())
            .route("POST", "/small", RoutePolicy.required().maxRequestBytes(4))
            .build();
    Filter watched =
        (request, response, chain) ->
            filter.doFilter(
                new HttpServletRequestWrapper((HttpServletRequest) request) {
                  @Override
                  public ServletInputStream getInputStream() throws IOException {
                    bodyAsked.countDown();
                    return super.getInputStream();
                  }
                },
                response,
                chain);
    server =
        new TestServer(watched, (request, response) -> response.getOutputStream().print("handled"));
    socket = new Socket(server.uri().getHost(), server.uri().getPort());
    answers = new BufferedReader(new InputStreamReader(socket.getInputStream(), ISO_8859_1));
  }

  @AfterEach
  void stop() throws Exception {
    socket.close();
    server.close();
    engine.close();
    store.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {BAD_KEY, ""})
  void nextRequestOnTheConnectionIsServedThoughTheBodyOfARefusedOneCameLate(String key)
      throws Exception {
    send("POST /app/keyed HTTP/1.1\r\nHost: a\r\n" + key + "Content-Length: 5\r\n\r\n");
    assertThat(bodyAsked.await(10, SECONDS)).as("the filter waits for the body").isTrue();
    send("12345");
    assertThat(answer()).startsWith("HTTP/1.1 400").doesNotContain("Connection: close");

    send("GET /app/next HTTP/1.1\r\nHost: a\r\n\r\n");

    assertThat(answer()).startsWith("HTTP/1.1 200").endsWith("handled");
  }

  @Test
  void bodyOverItsCapIsReadToItsEndToo() throws Exception {
    send(
        "POST /app/small HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
            + "Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n");
    assertThat(bodyAsked.await(10, SECONDS)).isTrue();
    send("3\r\n678\r\n0\r\n\r\n");
    assertThat(answer()).startsWith("HTTP/1.1 413").doesNotContain("Connection: close");

    send("GET /app/next HTTP/1.1\r\nHost: a\r\n\r\n");

    assertThat(answer()).startsWith("HTTP/1.1 200").endsWith("handled");
  }

  @Test
  void largeBodyIsNotReadAndTheClientIsToldThatTheConnectionEnds() throws Exception {
    send("POST /app/keyed HTTP/1.1\r\nHost: a\r\n" + BAD_KEY);
    send("Content-Length: " + TOO_MUCH + "\r\n\r\n");

    assertThat(answer()).startsWith("HTTP/1.1 400").contains("Connection: close");
    assertThat(answers.read()).isEqualTo(-1);
  }

  @Test
  void endlessBodyIsReadUpToTheBoundOnly() throws Exception {
    send(
        "POST /app/keyed HTTP/1.1\r\nHost: a\r\n" + BAD_KEY + "Transfer-Encoding: chunked\r\n\r\n");
    send(Integer.toHexString(TOO_MUCH) + "\r\n" + "x".repeat(TOO_MUCH) + "\r\n");

    assertThat(answer()).startsWith("HTTP/1.1 400").contains("Connection: close");
  }

  @Test
  void bodyThatWaitsForContinueIsNotAskedFor() throws Exception {
    send("POST /app/keyed HTTP/1.1\r\nHost: a\r\n" + BAD_KEY + "Expect: 100-continue\r\n");
    send("Content-Length: 5\r\n\r\n");

    assertThat(answer()).startsWith("HTTP/1.1 400").contains("Connection: close");
  }

  /** The whole answer, although JDK 17's HttpClient would not show it. */
  @Test
  void bodyThatWaitsForContinueAndFindsNoMemoryIsAnsweredWholeAndNotAskedFor() throws Exception {
    MemoryBudget memory = engine.config().memory();
    List<MemoryReservation> held = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      MemoryReservation reservation =
          memory.reserve(MemoryBudget.Kind.REQUESTS, "somebody else " + i);
      held.add(reservation);
      for (long part = memory.bytes(); part > 0; part /= 2) {
        boolean unused = reservation.grow(part).isGranted();
      }
    }
    send("POST /app/keyed HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n");
    send("Expect: 100-continue\r\nContent-Length: 100000\r\n\r\n");

    assertThat(answer())
        .startsWith("HTTP/1.1 503")
        .contains("Connection: close")
        .endsWith("}")
        .contains("bodies-full");
    assertThat(answers.read()).isEqualTo(-1);
    held.forEach(MemoryReservation::close);
  }

  private void send(String text) throws IOException {
    socket.getOutputStream().write(text.getBytes(ISO_8859_1));
  }

  /** Head and body of the next answer. */
  private String answer() throws IOException {
    StringBuilder answer = new StringBuilder();
    int length = 0;
    for (String line = answers.readLine(); !line.isEmpty(); line = answers.readLine()) {
      answer.append(line).append('\n');
      if (line.startsWith("Content-Length: ")) {
        length = Integer.parseInt(line.substring("Content-Length: ".length()));
      }
    }
    for (int i = 0; i < length; i++) {
      answer.append((char) answers.read());
    }
    return answer.toString();
  }
}
