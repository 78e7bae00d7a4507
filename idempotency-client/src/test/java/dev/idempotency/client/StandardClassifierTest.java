package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.UnresolvedAddressException;
import java.security.cert.CertificateException;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of {@code docs/client.md}, row by row. */
class StandardClassifierTest {

  private static final RetryClassifier TABLE = RetryClassifier.standard();

  private static Verdict http(int status, String type, boolean replayed) {
    return TABLE.classify(
        new Answer.Http(
            status,
            type.isEmpty() ? Optional.empty() : Optional.of("urn:idempotency-key:problem:" + type),
            replayed));
  }

  @Test
  void everyStatusHasItsVerdict() {
    Set<Integer> tooEarlyOrTooMany = Set.of(425, 429);
    Set<Integer> nothingOfTheKey = Set.of(301, 302, 307, 308, 401, 403, 407);
    IntStream.rangeClosed(100, 599)
        .forEach(
            status -> {
              Verdict expected =
                  tooEarlyOrTooMany.contains(status)
                      ? Verdict.NOT_EXECUTED
                      : nothingOfTheKey.contains(status)
                          ? Verdict.REFUSED
                          : status == 408 || status >= 500 ? Verdict.MAYBE_EXECUTED : Verdict.FINAL;
              assertThat(http(status, "", false)).as("status " + status).isEqualTo(expected);
              assertThat(http(status, "", true)).as("replayed " + status).isEqualTo(Verdict.FINAL);
            });
  }

  @Test
  void noOther4xxIsEverTriedAgain() {
    assertThat(IntStream.range(400, 500).filter(status -> http(status, "", false).mayRetry()))
        .containsExactly(408, 425, 429);
  }

  @ParameterizedTest
  @CsvSource({
    "409, in-flight, IN_FLIGHT",
    "409, outcome-unknown, UNKNOWN",
    "412, key-expired, UNKNOWN",
    "503, store-unavailable, NOT_EXECUTED",
    "503, bodies-full, NOT_EXECUTED",
    "503, overloaded, NOT_EXECUTED",
    "429, quota-exceeded, NOT_EXECUTED",
    "403, replay-refused, REFUSED",
    "409, response-not-kept, FINAL",
    "422, key-reused, FINAL",
    "400, key-missing, FINAL",
    "400, key-malformed, FINAL",
    "413, request-too-large, FINAL",
    "500, handler-failed, MAYBE_EXECUTED",
    "409, something-new, FINAL",
    "503, something-new, MAYBE_EXECUTED",
  })
  void ourServersProblemsAreKnown(int status, String slug, Verdict expected) {
    assertThat(http(status, slug, false)).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "409, in-flight, UNKNOWN",
    "409, outcome-unknown, UNKNOWN",
    "503, store-unavailable, FINAL",
    "422, key-reused, FINAL",
  })
  void aProblemThatSomebodyRecordedIsNoWordOfTheServerThatReplaysIt(
      int status, String slug, Verdict expected) {
    assertThat(http(status, slug, true)).isEqualTo(expected);
  }

  @ParameterizedTest
  @ValueSource(ints = {200, 201, 409, 503})
  void anAnswerFromElsewhereIsNoResult(int status) {
    Answer.Http replayed = new Answer.Http(status, Optional.empty(), true);
    assertThat(TABLE.classify(replayed.withRedirect())).isEqualTo(Verdict.UNKNOWN);
  }

  @Test
  void aForeignProblemTypeIsNoneOfOurs() {
    assertThat(
            TABLE.classify(
                new Answer.Http(409, Optional.of("https://other.example/in-flight"), false)))
        .isEqualTo(Verdict.FINAL);
  }

  static Stream<Arguments> failures() {
    return Stream.of(
        Arguments.of(new ConnectException(), Verdict.NOT_EXECUTED),
        Arguments.of(new HttpConnectTimeoutException("late"), Verdict.NOT_EXECUTED),
        Arguments.of(new NoRouteToHostException(), Verdict.NOT_EXECUTED),
        Arguments.of(new UnknownHostException(), Verdict.NOT_EXECUTED),
        Arguments.of(new UnresolvedAddressException(), Verdict.NOT_EXECUTED),
        Arguments.of(new SSLHandshakeException("cut"), Verdict.NOT_EXECUTED),
        Arguments.of(untrusted(), Verdict.REFUSED),
        Arguments.of(new SSLPeerUnverifiedException("another name"), Verdict.REFUSED),
        Arguments.of(new SocketTimeoutException("Connect timed out"), Verdict.NOT_EXECUTED),
        Arguments.of(
            new SocketTimeoutException("failed to connect to /10.0.0.1 after 100ms"),
            Verdict.NOT_EXECUTED),
        Arguments.of(new SocketTimeoutException("Read timed out"), Verdict.MAYBE_EXECUTED),
        Arguments.of(new HttpTimeoutException("late"), Verdict.MAYBE_EXECUTED),
        Arguments.of(new SocketException("reset"), Verdict.MAYBE_EXECUTED),
        Arguments.of(new EOFException(), Verdict.MAYBE_EXECUTED),
        Arguments.of(new ClosedChannelException(), Verdict.MAYBE_EXECUTED),
        Arguments.of(new SSLException("cut"), Verdict.MAYBE_EXECUTED),
        Arguments.of(new FileNotFoundException(), Verdict.MAYBE_EXECUTED),
        Arguments.of(
            new IOException("HTTP/1.1 header parser received no bytes"), Verdict.MAYBE_EXECUTED),
        Arguments.of(new IllegalStateException("a body handler's"), Verdict.UNKNOWN));
  }

  private static SSLHandshakeException untrusted() {
    SSLHandshakeException untrusted = new SSLHandshakeException("PKIX path building failed");
    untrusted.initCause(new CertificateException("not trusted"));
    return untrusted;
  }

  @ParameterizedTest
  @CsvSource({
    "UNAVAILABLE, NOT_EXECUTED",
    "DEADLINE_EXCEEDED, NOT_EXECUTED",
    "RESOURCE_EXHAUSTED, NOT_EXECUTED",
    "UNAUTHENTICATED, REFUSED",
    "INTERNAL, REFUSED",
    "CANCELLED, REFUSED",
    "UNKNOWN, REFUSED",
  })
  void whatNoServerActedOnWasNotExecuted(String code, Verdict expected) {
    assertThat(TABLE.classify(new Answer.Grpc(code, Optional.empty(), false, false, false, true)))
        .isEqualTo(expected);
  }

  @ParameterizedTest
  @MethodSource("failures")
  void everyFailureHasItsVerdict(Throwable failure, Verdict expected) {
    assertThat(TABLE.classify(new Answer.None(failure))).isEqualTo(expected);
    assertThat(TABLE.classify(new Answer.NotSent(failure))).isEqualTo(Verdict.REFUSED);
  }

  @ParameterizedTest
  @CsvSource({
    "OK, '', false, false, FINAL",
    "UNAVAILABLE, '', false, false, MAYBE_EXECUTED",
    "UNAVAILABLE, IDEMPOTENCY_STORE_UNAVAILABLE, true, false, NOT_EXECUTED",
    "UNAVAILABLE, IDEMPOTENCY_HANDLERS_BUSY, true, false, NOT_EXECUTED",
    "UNAVAILABLE, IDEMPOTENCY_MEMORY_FULL, true, false, NOT_EXECUTED",
    "RESOURCE_EXHAUSTED, IDEMPOTENCY_MEMORY_FULL, true, false, NOT_EXECUTED",
    "RESOURCE_EXHAUSTED, IDEMPOTENCY_REQUEST_TOO_LARGE, false, false, REFUSED",
    "RESOURCE_EXHAUSTED, IDEMPOTENCY_QUOTA_EXCEEDED, true, false, NOT_EXECUTED",
    "UNAVAILABLE, IDEMPOTENCY_OVERLOADED, true, false, NOT_EXECUTED",
    "PERMISSION_DENIED, IDEMPOTENCY_REPLAY_REFUSED, false, false, REFUSED",
    "DEADLINE_EXCEEDED, '', false, false, MAYBE_EXECUTED",
    "RESOURCE_EXHAUSTED, '', false, false, NOT_EXECUTED",
    "RESOURCE_EXHAUSTED, '', false, true, UNKNOWN",
    "ABORTED, '', false, false, FINAL",
    "ABORTED, '', true, false, NOT_EXECUTED",
    "ABORTED, IDEMPOTENCY_KEY_IN_FLIGHT, true, false, IN_FLIGHT",
    "UNAVAILABLE, IDEMPOTENCY_KEY_IN_FLIGHT, true, false, IN_FLIGHT",
    "FAILED_PRECONDITION, '', false, false, FINAL",
    "FAILED_PRECONDITION, IDEMPOTENCY_OUTCOME_UNKNOWN, false, false, UNKNOWN",
    "FAILED_PRECONDITION, IDEMPOTENCY_KEY_EXPIRED, false, false, UNKNOWN",
    "FAILED_PRECONDITION, IDEMPOTENCY_KEY_REUSED, false, false, FINAL",
    "FAILED_PRECONDITION, IDEMPOTENCY_RESULT_NOT_KEPT, false, false, FINAL",
    "INTERNAL, IDEMPOTENCY_CHECK_FAILED, false, false, REFUSED",
    "INTERNAL, IDEMPOTENCY_POLICY_INVALID, false, false, REFUSED",
    "INTERNAL, '', false, false, UNKNOWN",
    "UNKNOWN, '', false, false, UNKNOWN",
    "DATA_LOSS, '', false, false, UNKNOWN",
    "CANCELLED, '', false, false, UNKNOWN",
    "UNAUTHENTICATED, '', false, false, REFUSED",
    "PERMISSION_DENIED, '', false, false, REFUSED",
    "INVALID_ARGUMENT, '', false, false, FINAL",
    "NOT_FOUND, '', false, false, FINAL",
    "ALREADY_EXISTS, '', false, false, FINAL",
    "OUT_OF_RANGE, '', false, false, FINAL",
    "UNIMPLEMENTED, '', false, false, FINAL",
  })
  void everyGrpcStatusHasItsVerdict(
      String code, String reason, boolean hint, boolean tooLarge, Verdict expected) {
    Optional<String> why = reason.isEmpty() ? Optional.empty() : Optional.of(reason);
    assertThat(TABLE.classify(new Answer.Grpc(code, why, hint, tooLarge, false)))
        .isEqualTo(expected);
    // What is in flight or unknown is no result, also where somebody recorded it as one.
    boolean noResult =
        Set.of(
                "IDEMPOTENCY_KEY_IN_FLIGHT",
                "IDEMPOTENCY_OUTCOME_UNKNOWN",
                "IDEMPOTENCY_KEY_EXPIRED")
            .contains(reason);
    assertThat(TABLE.classify(new Answer.Grpc(code, why, hint, tooLarge, true)))
        .isEqualTo(noResult ? Verdict.UNKNOWN : Verdict.FINAL);
  }
}
