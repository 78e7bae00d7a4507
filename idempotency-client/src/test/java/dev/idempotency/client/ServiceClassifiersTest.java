package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpHeaders;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What other services document, row by row. */
class ServiceClassifiersTest {

  /** Headers are given as {@code name=value}, separated by blanks. */
  private static Answer.Http answer(int status, String headers, String body) {
    Map<String, List<String>> all = new HashMap<>();
    for (String header : headers.isBlank() ? new String[0] : headers.split(" ", -1)) {
      String[] parts = header.split("=", 2);
      all.put(parts[0], List.of(parts[1]));
    }
    return Answer.Http.of(
        status, HttpHeaders.of(all, (name, value) -> true), body.getBytes(UTF_8), false);
  }

  /** Section 2.7: 400 without a key, 422 for another payload, 409 while the first one runs. */
  @ParameterizedTest
  @CsvSource({
    "409, '', IN_FLIGHT",
    "409, Idempotent-Replayed=true, FINAL",
    "400, '', FINAL",
    "422, '', FINAL",
    "201, '', FINAL",
    "503, '', MAYBE_EXECUTED",
  })
  void draft07(int status, String headers, Verdict expected) {
    assertThat(RetryClassifier.draft07().classify(answer(status, headers, ""))).isEqualTo(expected);
  }

  /** A problem of our own server that follows the draft keeps its meaning. */
  @ParameterizedTest
  @CsvSource({
    "in-flight, IN_FLIGHT",
    "outcome-unknown, UNKNOWN",
    "response-not-kept, FINAL",
  })
  void draft07KnowsOurProblems(String slug, Verdict expected) {
    Answer.Http answer =
        answer(
            409,
            "Content-Type=application/problem+json",
            "{\"type\":\"urn:idempotency-key:problem:" + slug + "\"}");
    assertThat(RetryClassifier.draft07().classify(answer)).isEqualTo(expected);
  }

  /** docs.stripe.com/error-low-level and docs.stripe.com/api/errors. */
  @ParameterizedTest
  @CsvSource({
    "200, '', '', FINAL",
    "400, '', idempotency_error, FINAL",
    "400, Stripe-Should-Retry=false, parameter_missing, FINAL",
    "401, Stripe-Should-Retry=false, '', REFUSED",
    "402, Stripe-Should-Retry=false, card_declined, FINAL",
    "402, Idempotent-Replayed=true, card_declined, FINAL",
    "409, '', idempotency_key_in_use, IN_FLIGHT",
    "409, Stripe-Should-Retry=true, idempotency_key_in_use, IN_FLIGHT",
    "409, Stripe-Should-Retry=true, lock_timeout, NOT_EXECUTED",
    "409, Stripe-Should-Retry=false, '', FINAL",
    "424, '', '', UNKNOWN",
    "429, '', rate_limit, NOT_EXECUTED",
    "429, Stripe-Should-Retry=true, lock_timeout, NOT_EXECUTED",
    "429, Stripe-Should-Retry=false, rate_limit, REFUSED",
    "500, '', '', MAYBE_EXECUTED",
    "500, Stripe-Should-Retry=true, '', MAYBE_EXECUTED",
    "500, Stripe-Should-Retry=false, '', UNKNOWN",
    "500, Idempotent-Replayed=true, '', UNKNOWN",
    "500, Stripe-Should-Retry=false Idempotent-Replayed=true, '', UNKNOWN",
    "503, '', '', MAYBE_EXECUTED",
  })
  void stripe(int status, String headers, String code, Verdict expected) {
    String body = "{\"error\":{\"code\":\"" + code + "\",\"type\":\"api_error\"}}";
    assertThat(RetryClassifier.stripe().classify(answer(status, headers, body)))
        .isEqualTo(expected);
  }

  /** docs.adyen.com/development-resources/api-idempotency, "Error handling". */
  @ParameterizedTest
  @CsvSource({
    "200, '', '', FINAL",
    "422, transient-error=true, 704, IN_FLIGHT",
    "409, Transient-Error=true, 704, IN_FLIGHT",
    "422, transient-error=false, 704, UNKNOWN",
    "422, '', 14_030, FINAL",
    "401, '', '', REFUSED",
    "429, transient-error=true, '', MAYBE_EXECUTED",
    "429, '', '', REFUSED",
    "500, transient-error=true, 905, MAYBE_EXECUTED",
    "500, '', 905, UNKNOWN",
    "503, transient-error=true, 702, MAYBE_EXECUTED",
    "503, transient-error=false, 702, UNKNOWN",
  })
  void adyen(int status, String headers, String code, Verdict expected) {
    String body = "{\"status\":" + status + ",\"errorCode\":\"" + code + "\"}";
    assertThat(RetryClassifier.adyen().classify(answer(status, headers, body))).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({
    "error code, idempotency_key_in_use",
    "error, ",
    "other, ",
    "error code deeper, ",
  })
  void aClassifierOfOnesOwnReadsTheBody(String path, String expected) {
    Answer.Http answer =
        answer(409, "", "{\"a\":[{\"error\":1}],\"error\":{\"code\":\"idempotency_key_in_use\"}}");
    assertThat(answer.jsonText(path.split(" ", -1)).orElse(null)).isEqualTo(expected);
    assertThat(answer.withBody("no json".getBytes(UTF_8)).jsonText("error")).isEmpty();
  }
}
