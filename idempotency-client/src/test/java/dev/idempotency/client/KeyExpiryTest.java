package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.fails;
import static dev.idempotency.client.ScriptedServer.Reply.status;
import static dev.idempotency.client.ScriptedServer.TARGET;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Nothing is sent under a key that the server may have forgotten. */
@Timeout(60)
class KeyExpiryTest {

  private static final IOException LOST = new IOException("connection reset");

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(201));

  private RetryingHttpClient client(UnaryOperator<RetrySettings.Builder> more) {
    return RetryingHttpClient.create(
        server, more.apply(RetrySettings.builder().time(time, () -> 0)).build());
  }

  private RetryingHttpClient client() {
    return client(settings -> settings);
  }

  private static RetryableRequest transfer() {
    return RetryableRequest.post(TARGET, BodySource.of("{}"));
  }

  private static <E extends Exception> E thrown(Class<E> type, Call call) {
    AtomicReference<E> thrown = new AtomicReference<>();
    assertThatThrownBy(call::run).isInstanceOfSatisfying(type, thrown::set);
    return thrown.get();
  }

  private interface Call {
    void run() throws Exception;
  }

  @Test
  void keysThatAreMintedCarryTheirTime() {
    Instant before = Instant.now().minusMillis(1);
    RequestKey key = transfer().key().orElseThrow();
    assertThat(key.madeAt().orElseThrow()).isBetween(before, Instant.now());
    assertThat(RequestKey.random(time).madeAt()).contains(ManualTime.START);
    assertThat(RequestKey.random()).isNotEqualTo(RequestKey.random());
    assertThat(RequestKey.derived("transfer", "order-1").madeAt()).isEmpty();
    assertThat(new RequestKey("order-1").madeAt()).isEmpty();
  }

  @Test
  void anOldKeyIsNeitherSentNorResumed() {
    RequestKey key = RequestKey.random(time);
    time.pass(Duration.ofHours(24));
    KeyExpiredException sent =
        thrown(
            KeyExpiredException.class,
            () -> client().send(transfer().withKey(key), BodyHandlers.ofString()));
    assertThat(sent.key()).isEqualTo(key);
    assertThat(sent.attempts()).isZero();
    assertThat(sent.mayHaveExecuted()).isFalse();
    assertThat(sent.expires()).isEqualTo(ManualTime.START.plus(Duration.ofHours(24)));
    assertThat(
            thrown(
                    KeyExpiredException.class,
                    () -> client().resume(key, transfer(), BodyHandlers.ofString()))
                .mayHaveExecuted())
        .isTrue();
    assertThat(server.seen).isEmpty();
  }

  @Test
  void aKeyIsSentUntilTheLastMoment() throws Exception {
    RequestKey key = RequestKey.random(time);
    time.pass(Duration.ofHours(24).minusMillis(1));
    assertThat(client().resume(key, transfer(), BodyHandlers.ofString()).status()).isEqualTo(201);
  }

  @Test
  void theLifetimeIsASetting() {
    RequestKey key = RequestKey.random(time);
    time.pass(Duration.ofMinutes(5));
    thrown(
        KeyExpiredException.class,
        () ->
            client(settings -> settings.keyLifetime(Duration.ofMinutes(5)))
                .resume(key, transfer(), BodyHandlers.ofString()));
  }

  @Test
  void noRetryStartsAfterTheAnnouncedExpiry() {
    server.script(
        status(503)
            .header("Idempotency-Key-Expires", "Thu, 01 Jan 2026 00:00:05 GMT")
            .header("Retry-After", "5"),
        status(201));
    KeyExpiredException e =
        thrown(
            KeyExpiredException.class,
            () ->
                client()
                    .send(transfer().withKey(new RequestKey("order-1")), BodyHandlers.ofString()));
    assertThat(e.mayHaveExecuted()).isTrue();
    assertThat(e.attempts()).isEqualTo(1);
    assertThat(server.seen).hasSize(1);
  }

  @Test
  void theServersClockMayDiffer() {
    // A minute ahead of this machine, and five seconds left.
    server.script(
        status(503)
            .header("Date", "Thu, 01 Jan 2026 00:01:00 GMT")
            .header("Idempotency-Key-Expires", "Thu, 01 Jan 2026 00:01:05 GMT")
            .header("Retry-After", "6"));
    thrown(KeyExpiredException.class, () -> client().send(transfer(), BodyHandlers.ofString()));
  }

  @Test
  void whatIsUnknownSaysUntilWhenToAskAndAskingLaterIsRefused() throws Exception {
    server.script(
        status(503).header("Idempotency-Key-Expires", "Thu, 01 Jan 2026 02:00:00 GMT"),
        fails(LOST));
    RequestKey key = RequestKey.derived("transfer", "order-1");
    OutcomeUnknownException unknown =
        thrown(
            OutcomeUnknownException.class,
            () -> client().send(transfer().withKey(key), BodyHandlers.ofString()));
    Instant saved = unknown.keyExpires().orElseThrow();
    assertThat(saved).isEqualTo(Instant.parse("2026-01-01T02:00:00Z"));

    server.script(status(201));
    RetryableRequest again = transfer().keyExpires(saved);
    assertThat(client().resume(key, again, BodyHandlers.ofString()).status()).isEqualTo(201);
    time.pass(Duration.ofHours(2));
    thrown(KeyExpiredException.class, () -> client().resume(key, again, BodyHandlers.ofString()));
    // Without it the age of such a key is not known.
    assertThat(client().resume(key, transfer(), BodyHandlers.ofString()).status()).isEqualTo(201);
  }

  @Test
  void aServerThatRefusesAnOldKeyEndsTheCallInTheSameWay() {
    server.script(ScriptedServer.Reply.problem(412, "key-expired"));
    RequestKey key = new RequestKey("order-1");
    KeyExpiredException e =
        thrown(
            KeyExpiredException.class,
            () -> client().resume(key, transfer(), BodyHandlers.ofString()));
    assertThat(e.attempts()).isEqualTo(1);
    assertThat(e.mayHaveExecuted()).isTrue();
  }

  @Test
  void aServerThatRemembersForLongerIsBelieved() throws Exception {
    RequestKey key = RequestKey.random(time);
    time.pass(Duration.ofDays(3));
    RetryableRequest request = transfer().keyExpires(ManualTime.START.plus(Duration.ofDays(7)));
    assertThat(client().resume(key, request, BodyHandlers.ofString()).status()).isEqualTo(201);
  }
}
