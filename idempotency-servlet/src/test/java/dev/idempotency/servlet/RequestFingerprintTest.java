package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.net.http.HttpResponse;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What an application may say counts as the same request. */
class RequestFingerprintTest {

  private static String canonical(String json) {
    return CanonicalJson.of(json.getBytes(UTF_8)).map(HexFormat.of()::formatHex).orElse("");
  }

  /** Sees none of Jackson, and loads our classes itself. */
  private static final class WithoutJackson extends ClassLoader {
    WithoutJackson() {
      super(RequestFingerprint.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (name.startsWith("com.fasterxml.")) {
        throw new ClassNotFoundException(name);
      }
      if (!name.startsWith("dev.idempotency.servlet.")) {
        return super.loadClass(name, resolve);
      }
      Class<?> loaded = findLoadedClass(name);
      if (loaded != null) {
        return loaded;
      }
      try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
        byte[] bytes = in.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new ClassNotFoundException(name, e);
      }
    }
  }

  @Test
  void canonicalJsonWithoutJacksonFailsAtTheStartAndNotWithEveryRequest() throws Exception {
    Method canonicalJson =
        new WithoutJackson()
            .loadClass(RequestFingerprint.class.getName())
            .getMethod("canonicalJson");

    assertThatThrownBy(() -> canonicalJson.invoke(null))
        .cause()
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("jackson-core");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{\"a\":1,\"b\":[true,null]} |  { \"b\" : [ true , null ] ,\t\"a\" : 1 } | true",
        "{\"a\":{\"c\":1,\"d\":2}} | {\"a\":{\"d\":2,\"c\":1}} | true",
        "\"\\u0041\\/\\n\" | \"A/\\u000a\" | true",
        "\"\\ud83d\\ude00\" | \"😀\" | true",
        "[1,2] | [2,1] | false",
        "1 | 1.0 | false",
        "1 | \"1\" | false",
        "{\"a\":1} | {\"A\":1} | false",
        "{\"a\":\"x y\"} | {\"a\":\"xy\"} | false",
        "{\"a\":\"\\\"\"} | {\"a\":\"\"} | false",
        "\"\\ud83d\" | \"?\" | false",
        "-0.5e+3 | -0.5E+3 | false",
      })
  void spellingsOfOneJsonAreTheSame(String one, String other, boolean same) {
    assertThat(canonical(one)).isNotEmpty();
    assertThat(canonical(other)).isNotEmpty();
    assertThat(canonical(one).equals(canonical(other))).isEqualTo(same);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "[1",
        "[1,]",
        "01",
        "1.",
        "+1",
        "1e",
        "tru",
        "'a'",
        "\"\\x\"",
        "\"\\u00g0\"",
        "\"\\u００41\"",
        "\"a",
        "\"\u0001\"",
        "1 2",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":1}"
      })
  void whatIsNoJsonIsNotMadeTheSameAsAnything(String text) {
    assertThat(canonical(text)).isEmpty();
  }

  @Test
  void deepNestingAndBrokenUtf8AreNoJsonEither() {
    assertThat(canonical("[".repeat(200) + "]".repeat(200))).isNotEmpty();
    assertThat(canonical("[".repeat(100_000) + "]".repeat(100_000))).isEmpty();
    assertThat(CanonicalJson.of(new byte[] {'"', (byte) 0xFF, '"'})).isEmpty();
  }

  @Test
  void theFilterComparesWhatTheApplicationSays() throws Exception {
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults());
        TestServer server =
            serve(
                engine,
                "json+version",
                RequestFingerprint.canonicalJson().and(RequestFingerprint.headers("X-Version")));
        TestServer later = serve(engine, "json", RequestFingerprint.canonicalJson())) {
      assertThat(post(server, "{\"a\":1,\"b\":2}", "1").statusCode()).isEqualTo(200);
      assertThat(post(server, "{ \"b\": 2, \"a\": 1 }", "1").body()).isEqualTo("done");
      assertThat(post(server, "{\"a\":1,\"b\":3}", "1").statusCode()).isEqualTo(422);
      assertThat(post(server, "{\"a\":1,\"b\":2}", "2").statusCode()).isEqualTo(422);

      // Under another name it cannot be compared, and nobody says that nothing ran.
      HttpResponse<String> deployed = post(later, "{\"a\":1,\"b\":2}", "2");
      assertThat(deployed.statusCode()).isEqualTo(409);
      assertThat(deployed.body()).contains("outcome-unknown", "was carried out");
    }
  }

  private static TestServer serve(
      IdempotencyEngine engine, String name, RequestFingerprint fingerprint) throws Exception {
    return new TestServer(
        TestServer.everything(engine).fingerprint(name, fingerprint).build(),
        (request, response) -> response.getWriter().print("done"));
  }

  private static HttpResponse<String> post(TestServer server, String body, String version)
      throws Exception {
    return server.send(server.post(body, "Idempotency-Key", "k", "X-Version", version));
  }
}
