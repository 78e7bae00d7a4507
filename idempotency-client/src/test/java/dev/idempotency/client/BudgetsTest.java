package dev.idempotency.client;

import static dev.idempotency.client.ScriptedServer.Reply.status;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.client.RetryListener.Stop;
import java.net.URI;
import java.net.http.HttpResponse.BodyHandlers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whose retries a broken server takes, and what gives them back. */
@Timeout(60)
class BudgetsTest {

  private final ManualTime time = new ManualTime();
  private final ScriptedServer server = new ScriptedServer(time, status(503));

  private RetryingHttpClient client(RetrySettings.Builder settings) {
    return RetryingHttpClient.create(server, settings.time(time, () -> 0).build());
  }

  private static RetryableRequest to(String address) {
    return RetryableRequest.post(URI.create(address), BodySource.of("{}"));
  }

  private static void failing(RetryingHttpClient client, String address, Stop stop) {
    assertThatThrownBy(() -> client.send(to(address), BodyHandlers.ofString()))
        .isInstanceOfSatisfying(
            OutcomeUnknownException.class, e -> assertThat(e.stop()).isEqualTo(stop));
  }

  @Test
  void oneDeadHostTakesNobodyElsesRetries() throws Exception {
    RetryingHttpClient client = client(RetrySettings.builder());
    failing(client, "http://dead.example/a", Stop.ATTEMPTS);
    failing(client, "http://dead.example/b", Stop.BUDGET);
    // The same server, written differently.
    failing(client, "http://DEAD.example:80/c", Stop.BUDGET);

    server.script(status(503), status(503), status(201));
    assertThat(client.send(to("http://alive.example/"), BodyHandlers.ofString()).attempts())
        .isEqualTo(3);
    // Another port is another server.
    server.script(status(503));
    failing(client, "http://dead.example:81/", Stop.ATTEMPTS);
  }

  @Test
  void bothExceptionsSayWhyTheLoopStopped() {
    server.script(ScriptedServer.Reply.fails(new java.net.ConnectException("refused")));
    RetryingHttpClient client = client(RetrySettings.builder());
    assertThatThrownBy(() -> client.send(to("http://dead.example/"), BodyHandlers.ofString()))
        .isInstanceOfSatisfying(
            NotExecutedException.class, e -> assertThat(e.stop()).isEqualTo(Stop.ATTEMPTS))
        .hasMessageContaining("no attempts are left");
    assertThatThrownBy(() -> client.send(to("http://dead.example/"), BodyHandlers.ofString()))
        .isInstanceOfSatisfying(
            NotExecutedException.class, e -> assertThat(e.stop()).isEqualTo(Stop.BUDGET))
        .hasMessageContaining("budget");
  }

  @ParameterizedTest
  @ValueSource(ints = {400, 404, 422})
  void aRefusalGivesNoRetryBack(int refusal) throws Exception {
    RetryingHttpClient client = client(RetrySettings.builder().budget(RetryBudget.tokens(1, 1)));
    failing(client, "http://bank.example/", Stop.BUDGET);
    server.script(status(refusal));
    client.send(to("http://bank.example/"), BodyHandlers.ofString());
    server.script(status(503));
    failing(client, "http://bank.example/", Stop.BUDGET);
    assertThat(server.seen).hasSize(4);
  }

  @Test
  void budgetsOfManyHostsDoNotPileUp() {
    AuthorityBudgets budgets = new AuthorityBudgets(() -> RetryBudget.tokens(1, 0));
    RetryBudget first = budgets.apply("first");
    for (int i = 0; i < AuthorityBudgets.MAX; i++) {
      budgets.apply("host-" + i);
    }
    assertThat(budgets.apply("host-1")).isSameAs(budgets.apply("host-1"));
    assertThat(budgets.apply("first")).isNotSameAs(first);
  }
}
