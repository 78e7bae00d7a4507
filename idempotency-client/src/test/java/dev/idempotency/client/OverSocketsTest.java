package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What java.net.http does with broken connections, and what the loop makes of it. */
@Timeout(60)
class OverSocketsTest {

  private static final String OK = "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone";

  private final List<String> requests = new CopyOnWriteArrayList<>();
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private ServerSocket listening;

  @BeforeEach
  void listen() throws IOException {
    listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  }

  @AfterEach
  void stop() throws IOException {
    listening.close();
  }

  /** Answers one connection after the other with these texts, and closes each; "" is no answer. */
  private void answer(String... answers) {
    Thread thread =
        new Thread(
            () -> {
              for (String answer : answers) {
                try (Socket socket = listening.accept()) {
                  requests.add(read(socket));
                  socket.getOutputStream().write(answer.getBytes(UTF_8));
                } catch (IOException e) {
                  return;
                }
              }
            });
    thread.setDaemon(true);
    thread.start();
  }

  private static String read(Socket socket) throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
    StringBuilder request = new StringBuilder();
    int length = 0;
    for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
      request.append(line).append('\n');
      if (line.regionMatches(true, 0, "Content-Length: ", 0, 16)) {
        length = Integer.parseInt(line.substring(16));
      }
    }
    char[] body = new char[length];
    int got = 0;
    while (got < length) {
      int read = in.read(body, got, length - got);
      if (read < 0) {
        break;
      }
      got += read;
    }
    return request.append(body, 0, got).toString();
  }

  private RetryingHttpClient client(Duration attempt) {
    return RetryingHttpClient.create(
        http,
        RetrySettings.builder()
            .baseDelay(Duration.ofMillis(1))
            .maxDelay(Duration.ofMillis(2))
            .attemptTimeout(attempt)
            .build());
  }

  private RetryableRequest transfer() {
    return RetryableRequest.post(
            URI.create("http://127.0.0.1:" + listening.getLocalPort() + "/v1/transfers"),
            BodySource.of("{\"amount\":5}"))
        .header("Content-Type", "application/json")
        .withKey(new RequestKey("order-1"));
  }

  @Test
  void aConnectionCutAnywhereIsTriedAgainWithTheSameRequest() throws Exception {
    answer(
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 201 Created\r\nContent-Le",
        OK.substring(0, OK.length() - 2),
        OK);
    HttpResult<String> result =
        client(Duration.ofSeconds(20)).send(transfer(), BodyHandlers.ofString());

    assertThat(result.body()).isEqualTo("done");
    assertThat(result.attempts()).isEqualTo(5);
    assertThat(requests)
        .hasSize(5)
        .allSatisfy(
            request ->
                assertThat(request)
                    .startsWith("POST /v1/transfers")
                    .contains("Idempotency-Key: order-1\n")
                    .endsWith("{\"amount\":5}"));
  }

  @Test
  void theControlWithoutAKeyACutConnectionIsTheEnd() {
    answer("", OK);
    assertThatThrownBy(
            () ->
                client(Duration.ofSeconds(20))
                    .send(transfer().withoutKey(), BodyHandlers.ofString()))
        .isInstanceOf(IOException.class)
        .isNotInstanceOf(OutcomeUnknownException.class);
    assertThat(requests).hasSize(1);
  }

  @Test
  void aServerThatStallsInTheMiddleOfTheBodyIsGivenUpAndAskedAgain() throws Exception {
    Thread thread =
        new Thread(
            () -> {
              try (Socket stalled = listening.accept()) {
                requests.add(read(stalled));
                stalled.getOutputStream().write(OK.substring(0, OK.length() - 2).getBytes(UTF_8));
                while (true) {
                  try (Socket next = listening.accept()) {
                    requests.add(read(next));
                    next.getOutputStream().write(OK.getBytes(UTF_8));
                  }
                }
              } catch (IOException e) {
                // The test is over.
                return;
              }
            });
    thread.setDaemon(true);
    thread.start();
    HttpResult<String> result =
        client(Duration.ofMillis(300)).send(transfer(), BodyHandlers.ofString());
    assertThat(result.body()).isEqualTo("done");
    assertThat(result.attempts()).isGreaterThanOrEqualTo(2);
  }

  @Test
  void aServerThatIsNotThereSurelyExecutedNothing() throws Exception {
    RetryableRequest request = transfer();
    listening.close();
    assertThatThrownBy(() -> client(Duration.ofSeconds(20)).send(request, BodyHandlers.ofString()))
        .isInstanceOf(NotExecutedException.class);
  }

  @Test
  void resumingAfterARestartAsksWithTheSavedKey() throws Exception {
    answer("", "", "", "", "", "", "", "", OK);
    RetryableRequest request = transfer();
    AtomicKey saved = new AtomicKey();
    assertThatThrownBy(() -> client(Duration.ofSeconds(20)).send(request, BodyHandlers.ofString()))
        .isInstanceOfSatisfying(OutcomeUnknownException.class, e -> saved.text = e.key().value());

    HttpResult<String> result =
        client(Duration.ofSeconds(20))
            .resume(
                new RequestKey(saved.text),
                RetryableRequest.post(transferUri(), BodySource.of("{\"amount\":5}"))
                    .header("Content-Type", "application/json"),
                BodyHandlers.ofString());
    assertThat(result.body()).isEqualTo("done");
    assertThat(requests).hasSize(9).allMatch(seen -> seen.contains("Idempotency-Key: order-1\n"));
  }

  private URI transferUri() {
    return URI.create("http://127.0.0.1:" + listening.getLocalPort() + "/v1/transfers");
  }

  /** What a caller keeps over a restart. */
  private static final class AtomicKey {
    private volatile String text = "";
  }
}
