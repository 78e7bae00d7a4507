package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.Cookie;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.http.HttpResponse;
import java.util.EnumSet;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import java.util.logging.StreamHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Keys, bodies and credentials stay where they belong. */
@Timeout(60)
class SecretsTest {

  private static final String KEY = "marked-key-4711";
  private static final String BODY = "marked-body-4711";
  private static final String CREDENTIAL = "marked-credential-4711";
  private static final String COOKIE = "marked-cookie-4711";

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private volatile Outcome resolved = RecordedResponse.of(200).toOutcome();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(
          store,
          IdempotencyConfig.builder()
              .resolver(unresolved -> new OutcomeResolver.Resolution.Completed(resolved))
              .build());
  private TestServer server;

  private void serve(TestServer.Handler handler) throws Exception {
    server =
        new TestServer(
            // The container knows this filter only, and so cannot map ours for dispatches.
            TestServer.everything(engine)
                    .everyRoute(RoutePolicy.required().maxRequestBytes(1_000).maxResponseBytes(50))
                    .build()
                ::doFilter,
            handler,
            EnumSet.of(DispatcherType.REQUEST),
            20);
  }

  @AfterEach
  void stop() throws Exception {
    server.close();
    engine.close();
    store.close();
  }

  private HttpResponse<String> post(String body, String key) throws Exception {
    return server.send(
        server.post(body, "Idempotency-Key", key, "Authorization", "Bearer " + CREDENTIAL));
  }

  private static final byte[] EVIL = evil();

  /** A record in which somebody has written a line end into a header. */
  private static byte[] evil() {
    byte[] bytes =
        RecordedResponse.of(200).header("Location", "/a__X-Evil: 1").toOutcome().toBytes();
    int at = new String(bytes, ISO_8859_1).indexOf("__");
    bytes[at] = '\r';
    bytes[at + 1] = '\n';
    return bytes;
  }

  @Test
  void aWholeRunLeavesNoKeyNoBodyAndNoCredentialInTheLog() throws Exception {
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    StreamHandler handler = new StreamHandler(log, new SimpleFormatter());
    handler.setLevel(Level.ALL);
    Logger ours = Logger.getLogger("dev.idempotency");
    Level before = ours.getLevel();
    PrintStream err = System.err;
    ours.setLevel(Level.ALL);
    ours.addHandler(handler);
    System.setErr(new PrintStream(log, true, UTF_8));
    try {
      everythingThatCanHappen();
    } finally {
      System.setErr(err);
      ours.removeHandler(handler);
      ours.setLevel(before);
      handler.close();
    }

    // The control: of the same events it was logged that they were.
    assertThat(log.toString(UTF_8))
        .contains("cannot replay")
        .contains("register the filter for DispatcherType.ASYNC")
        .contains("key#")
        .doesNotContain(KEY)
        .doesNotContain(BODY)
        .doesNotContain(CREDENTIAL);
  }

  private void everythingThatCanHappen() throws Exception {
    serve(
        (request, response) -> {
          String body = request.getReader().readLine();
          if (body.endsWith("throws")) {
            throw new IllegalStateException("made up");
          } else if (body.endsWith("dispatches")) {
            request.startAsync().dispatch();
          } else {
            response.getWriter().print(body);
          }
        });
    assertThat(post(BODY, KEY).statusCode()).isEqualTo(200);
    assertThat(post(BODY, KEY).statusCode()).isEqualTo(200);
    assertThat(post(BODY + "2", KEY).statusCode()).isEqualTo(422);
    assertThat(post(BODY, KEY + " x").statusCode()).isEqualTo(400);
    assertThat(post(BODY.repeat(4), KEY + "large").statusCode()).isEqualTo(200);
    assertThat(post(BODY.repeat(4), KEY + "large").statusCode()).isEqualTo(409);
    assertThat(post(BODY.repeat(100), KEY + "larger").statusCode()).isEqualTo(413);
    assertThat(post(BODY + "throws", KEY + "throws").statusCode()).isEqualTo(200);
    assertThat(post(BODY + "dispatches", KEY + "dispatches").statusCode()).isEqualTo(500);
    resolved = Outcome.of("http/1", EVIL);
    assertThat(post(BODY + "throws", KEY + "damaged").statusCode()).isEqualTo(503);
    engine.close();
    assertThat(post(BODY, KEY + "down").statusCode()).isEqualTo(503);
  }

  @Test
  void aLineEndInAStoredHeaderIsADamagedRecordAndNeverSent() throws Exception {
    resolved = Outcome.of("http/1", EVIL);
    serve(
        (request, response) -> {
          throw new IllegalStateException("made up");
        });

    for (int i = 0; i < 2; i++) {
      HttpResponse<String> answer = post(BODY, KEY);
      assertThat(answer.statusCode()).isEqualTo(503);
      assertThat(answer.body()).contains("store-unavailable");
      assertThat(answer.headers().firstValue("X-Evil")).isEmpty();
      assertThat(answer.headers().firstValue("Location")).isEmpty();
    }
  }

  @Test
  void noCookieAndNoCredentialIsInTheStoredRecord() throws Exception {
    serve(
        (request, response) -> {
          response.addCookie(new Cookie("session", COOKIE));
          response.addHeader("Set-Cookie", "other=" + COOKIE);
          response.setHeader("WWW-Authenticate", "Bearer " + COOKIE);
          response.setHeader("Authorization", "Bearer " + COOKIE);
          response.setHeader("Location", "/kept");
          response.getWriter().print("kept too");
        });

    assertThat(post("", KEY).headers().allValues("Set-Cookie")).hasSize(2);
    StoredRecord record = engine.admin().find(IdempotencyKey.of(KEY)).orElseThrow();
    byte[] stored = ((StoredRecord.Completed) record).outcome().toBytes();
    assertThat(new String(stored, ISO_8859_1))
        .contains("/kept", "kept too")
        .doesNotContain(COOKIE)
        .doesNotContain(CREDENTIAL);
  }
}
