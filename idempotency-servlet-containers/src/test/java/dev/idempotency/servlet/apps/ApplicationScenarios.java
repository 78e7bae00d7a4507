package dev.idempotency.servlet.apps;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * What must hold for an application that knows nothing of the filter. Each request goes to the
 * application behind the filter and to a second one, the control, without it.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class ApplicationScenarios {

  private static final String REPLAYED = "idempotent-replayed";

  /** Of one exchange or one connection, or the filter's own. */
  private static final Set<String> NOT_COMPARED =
      Set.of(
          "connection",
          "content-length",
          "date",
          "idempotency-key-expires",
          "keep-alive",
          "transfer-encoding");

  private static final Set<String> RECORDED =
      Set.of("content-encoding", "content-language", "content-type", "etag", "link", "location");

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final Shop shop = new Shop();
  private final Shop controlShop = new Shop();
  private ApplicationServer server;
  private ApplicationServer control;

  /** A new one, which answers the paths of the tests here. */
  protected abstract Application application(Shop shop);

  @BeforeAll
  void start() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional())
            .build();
    server = new ApplicationServer(List.of(new Application.Mapped(filter)), application(shop));
    control = new ApplicationServer(List.of(), application(controlShop));
  }

  @AfterAll
  void stop() throws Exception {
    control.close();
    server.close();
    engine.close();
    store.close();
  }

  /** An answer, without what differs between any two exchanges. */
  protected record Answer(int status, Map<String, List<String>> headers, String body) {

    /** The first value of a header, or nothing. */
    public String header(String name) {
      return String.join(", ", headers.getOrDefault(name, List.of()));
    }

    private Answer with(Set<String> names) {
      Map<String, List<String>> kept = new TreeMap<>(headers);
      kept.keySet().retainAll(names);
      return new Answer(status, kept, body);
    }

    private boolean replayed() {
      return headers.containsKey(REPLAYED);
    }
  }

  /** Behind the filter, under a key that this name stands for. */
  protected final Answer send(Message message, String key) throws Exception {
    return send(server, message, key);
  }

  private static Answer send(ApplicationServer to, Message message, String key) throws Exception {
    HttpResponse<byte[]> response =
        to.send(message, UUID.nameUUIDFromBytes(key.getBytes(UTF_8)).toString());
    Map<String, List<String>> headers = new TreeMap<>();
    response
        .headers()
        .map()
        .forEach(
            (name, values) -> {
              if (!NOT_COMPARED.contains(name)) {
                headers.put(
                    name,
                    values.stream().map(value -> value.replace(to.authority(), "host")).toList());
              }
            });
    return new Answer(response.statusCode(), headers, new String(response.body(), ISO_8859_1));
  }

  /**
   * The first answer is the application's own, the second one its copy, and the handler ran once;
   * without the filter it runs twice. The item stands for the key too.
   *
   * @return the first answer
   */
  protected final Answer assertRunsOnce(Message message, String item) throws Exception {
    Answer first = assertRunsAsWithout(message, item);
    Answer retry = send(message, item);

    assertThat(retry.replayed()).isTrue();
    assertThat(retry.with(RECORDED)).isEqualTo(first.with(RECORDED));
    assertRuns(item, 1);
    return first;
  }

  /** The first answer is the application's own, but a retry learns only that nobody knows. */
  private Answer assertLeavesItInDoubt(Message message, String item) throws Exception {
    Answer first = assertRunsAsWithout(message, item);
    assertUnknown(message, item);
    return first;
  }

  /** A retry is told that nobody knows how the first one ended, and nothing runs. */
  protected final void assertUnknown(Message message, String item) throws Exception {
    Answer retry = send(message, item);
    assertThat(retry.status()).isEqualTo(409);
    assertThat(retry.body()).contains("outcome-unknown");
    assertRuns(item, 1);
  }

  /** As {@link #assertLeavesItInDoubt}, but the page is the container's or the filter's own. */
  private void assertFailsAndIsUnknown(Message message, String item, int status) throws Exception {
    assertThat(send(message, item).status()).isEqualTo(status);
    assertThat(send(control, message, item).status()).isEqualTo(status);
    send(control, message, item);
    assertThat(controlShop.runs(item)).as("runs without the filter").isEqualTo(2);
    assertUnknown(message, item);
  }

  private Answer assertRunsAsWithout(Message message, String item) throws Exception {
    Answer first = send(message, item);
    Answer without = send(control, message, item);

    assertThat(first.replayed()).isFalse();
    assertThat(first).isEqualTo(without);
    assertRuns(item, 1);
    send(control, message, item);
    assertThat(controlShop.runs(item)).as("runs without the filter").isEqualTo(2);
    return first;
  }

  /** How often the item was ordered behind the filter. */
  protected final void assertRuns(String item, int times) {
    assertThat(shop.runs(item)).as("runs of " + item).isEqualTo(times);
  }

  @Test
  void jsonIsCreatedOnce() throws Exception {
    Answer created = assertRunsOnce(Message.post("/orders").order("json"), "json");

    assertThat(created.status()).isEqualTo(201);
    assertThat(created.header("location")).isEqualTo("http://host/orders/run-1");
    assertThat(created.header("etag")).isEqualTo("\"run-1\"");
    assertThat(created.header("content-type")).startsWith("application/json");
    assertThat(created.body()).contains("\"id\":\"run-1\"");
  }

  @Test
  void aFormIsReadBehindTheFilter() throws Exception {
    Message form = Message.post("/orders/form").form("item=form&quantity=2");

    assertThat(assertRunsOnce(form, "form").body()).contains("\"quantity\":2");
  }

  @Test
  void aFormKeepsItsLettersAndTheQuery() throws Exception {
    Message form = Message.post("/orders/form?quantity=3").form("item=Caf%C3%A9+%E2%82%AC");

    assertThat(assertRunsOnce(form, "Café €").status()).isEqualTo(200);
  }

  @Test
  void anAnswerFromAnotherThreadIsRecorded() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/later").order("later"), "later");

    assertThat(answer.body()).contains("\"id\":\"run-1\"");
  }

  @Test
  void aStreamIsRecordedWhole() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/stream").order("stream"), "stream");

    assertThat(answer.body()).hasSizeGreaterThan(100_000).endsWith("\nend\n");
  }

  @Test
  void aDomainErrorIsFinal() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders").order("sold-out"), "sold-out");

    assertThat(answer.status()).isEqualTo(422);
    assertThat(answer.header("content-type")).startsWith("application/problem+json");
    assertThat(answer.body()).contains("sold-out is sold out");
  }

  @Test
  void aDomainErrorFromAnotherThreadIsFinal() throws Exception {
    Answer answer =
        assertRunsOnce(Message.post("/orders/later").order("sold-out-later"), "sold-out-later");

    assertThat(answer.status()).isEqualTo(422);
  }

  @Test
  void aBadRequestMayBeCorrected() throws Exception {
    Message broken = Message.post("/orders").json("{\"item\":\"corrected\",");

    assertThat(send(broken, "corrected").status()).isEqualTo(400);
    assertThat(send(control, broken, "corrected").status()).isEqualTo(400);
    assertThat(assertRunsOnce(Message.post("/orders").order("corrected"), "corrected").status())
        .isEqualTo(201);
  }

  @Test
  void anExceptionLeavesItInDoubt() throws Exception {
    assertFailsAndIsUnknown(Message.post("/orders").order("bug"), "bug", 500);
  }

  @Test
  void anExceptionFromAnotherThreadLeavesItInDoubt() throws Exception {
    assertFailsAndIsUnknown(Message.post("/orders/later").order("bug-later"), "bug-later", 500);
  }

  @Test
  void aMappedExceptionLeavesItInDoubtToo() throws Exception {
    Answer answer = assertLeavesItInDoubt(Message.post("/orders").order("printer"), "printer");

    assertThat(answer.status()).isEqualTo(500);
    assertThat(answer.body()).contains("the printer burns");
  }

  /** The work may still go on, whatever 503 means elsewhere. */
  @Test
  void workThatOutlivesItsTimeoutIsInDoubt() throws Exception {
    assertFailsAndIsUnknown(Message.post("/orders/never").order("never"), "never", 503);
  }

  @Test
  void filesAreReadBehindTheFilter() throws Exception {
    Message files = Message.post("/orders/files").files("limit", "multipart");

    Answer answer = assertRunsOnce(files, "multipart");
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).contains("\"quantity\":16");
  }
}
