package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.FuzzTarget;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** What clients send as text, and what a store may give back. */
final class ServletFuzzTargets {

  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  static final FuzzTarget KEY_HEADER =
      new FuzzTarget(
          "key header",
          texts("order-1001", "\"order-1001\"", "\"a\\\"b\\\\c\"", "\t \"x\"  "),
          ServletFuzzTargets::checkKeyHeader);

  static final FuzzTarget JSON_TEXT =
      new FuzzTarget(
          "json",
          texts(
              "{\"amount\":100,\"to\":\"bob\",\"tags\":[1,2.50,true,null,\"\\u00fc\"]}",
              "[[],{},-0,1e5,1E+5,\"\\ud800\"]",
              " {\"b\" : {\"a\":1 , \"A\":2}} "),
          ServletFuzzTargets::checkJson);

  static final FuzzTarget QUERY =
      new FuzzTarget(
          "query",
          texts(
              "a=1&b=%7Etilde&b=x+y&_=17",
              "%41=%zz&&=&a", "text/plain;charset=\"UTF-8\";a=\"\\\"\""),
          ServletFuzzTargets::checkQuery);

  static final FuzzTarget RESPONSE =
      new FuzzTarget(
          "response",
          List.of(
              RecordedResponse.of(201)
                  .header("Location", "/\u00fc")
                  .header("Link", "</a>")
                  .header("Link", "</b>")
                  .body("created".getBytes(UTF_8))
                  .toOutcome()
                  .toBytes(),
              RecordedResponse.of(204).toOutcome().toBytes()),
          ServletFuzzTargets::checkResponse);

  private ServletFuzzTargets() {}

  static Stream<FuzzTarget> all() {
    return Stream.of(KEY_HEADER, JSON_TEXT, QUERY, RESPONSE);
  }

  private static List<byte[]> texts(String... texts) {
    return Stream.of(texts).map(text -> text.getBytes(UTF_8)).toList();
  }

  /** A key that is taken is one that can be stored, and the same when it comes in quotes. */
  private static void checkKeyHeader(byte[] input) {
    if (PropertiesTest.read(new String(input, ISO_8859_1))
        instanceof KeyHeader.Reading.Present present) {
      assertThat(IdempotencyKey.of(present.key()).value()).matches("[!-~]{1,255}");
      String quoted = present.key().replace("\\", "\\\\").replace("\"", "\\\"");
      assertThat(PropertiesTest.read('"' + quoted + '"')).isEqualTo(present);
    }
  }

  /** The form does not depend on blanks and escapes, and what has one is JSON. */
  private static void checkJson(byte[] input) throws IOException {
    Optional<byte[]> form = CanonicalJson.of(input);
    JsonKey.of(input, "/to");
    if (form.isPresent()) {
      byte[] respelled = respelled(input);
      assertThat(CanonicalJson.of(respelled))
          .hasValueSatisfying(f -> assertThat(f).isEqualTo(form.get()));
    }
  }

  private static byte[] respelled(byte[] json) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (JsonParser parser = JSON.createParser(json);
        JsonGenerator generator = JSON.createGenerator(out).useDefaultPrettyPrinter()) {
      generator.setHighestNonEscapedChar(0x7F);
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token.isNumeric()) {
          generator.writeNumber(parser.getText());
        } else {
          generator.copyCurrentEvent(parser);
        }
      }
    }
    return out.toByteArray();
  }

  /** One spelling stays one spelling. */
  private static void checkQuery(byte[] input) {
    String text = new String(input, ISO_8859_1);
    String comparable = QueryString.comparable(text, Set.of("_"));
    assertThat(QueryString.comparable(comparable, Set.of("_"))).isEqualTo(comparable);
    assertThat(PercentEncoding.decode(comparable, UTF_8))
        .isEqualTo(PercentEncoding.decode(PercentEncoding.normalize(comparable), UTF_8));
    QueryString.values(text, "b");
    MediaTypeText.comparable(text);
  }

  /** A response that is read is written as it was, or the record is corrupt. */
  private static void checkResponse(byte[] input) {
    try {
      RecordedResponse read = ResponseCodec.decode(Outcome.of(ResponseCodec.FORMAT, input));
      RecordedResponse again =
          ResponseCodec.decode(Outcome.of(ResponseCodec.FORMAT, ResponseCodec.encode(read)));
      assertThat(again.status()).isEqualTo(read.status());
      assertThat(again.headers()).isEqualTo(read.headers());
      assertThat(again.bodyBytes()).isEqualTo(read.bodyBytes());
    } catch (CorruptRecordException e) {
      assertThat(e.getMessage()).isNotBlank();
    }
  }
}
