package dev.idempotency.jdbc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Proxy;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.concurrent.Callable;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

/** An address of a database has its password in it, with any character, in many places. */
class JdbcErrorsTest {

  private static final String BEFORE = "Zq7before";
  private static final String AFTER = "Xw9after";

  @Test
  void noCharacterOfAPasswordReachesAnExceptionWhenNoDriverIsFound() {
    for (char each = 0x20; each < 0x7F; each++) {
      String password = BEFORE + each + AFTER;
      String encoded = URLEncoder.encode(password, StandardCharsets.UTF_8);
      for (String url :
          new String[] {
            "jdbc:nosuchdb://host/db?user=me&password=" + password,
            "jdbc:nosuchdb://me:" + password + "@host/db",
            "jdbc:nosuchdb://me:" + encoded + "@host/db",
            "jdbc:nosuchdb:me/" + password + "@host:1521/db",
            "jdbc:nosuchdb://host;user=me;password={" + password + "};encrypt=true",
          }) {
        assertHidden(() -> DriverManager.getConnection(url));
        assertHidden(
            () -> {
              throw new IllegalStateException(
                  "Failed to get driver instance for jdbcUrl=" + url,
                  new SQLException("No suitable driver"));
            });
        assertHidden(
            () -> {
              throw new SQLException("Connection refused", new RuntimeException(url));
            });
      }
    }
  }

  private static void assertHidden(Callable<?> connecting) {
    String shown = shown(resolveWith(connecting));
    assertThat(shown).doesNotContain(BEFORE).doesNotContain(AFTER).contains("could not be read");
  }

  @Test
  void whatADatabaseSaysOtherwiseIsShown() {
    Throwable failure =
        resolveWith(
            () -> {
              throw new SQLException(
                  "Table \"IDEMPOTENCY_LEDGER\" not found\nFAKE LOG LINE", "42S02", 42102);
            });

    assertThat(shown(failure))
        .contains("SQLState 42S02, code 42102: Table \"IDEMPOTENCY_LEDGER\" not found FAKE");
  }

  private static Throwable resolveWith(Callable<?> connecting) {
    DataSource broken =
        (DataSource)
            Proxy.newProxyInstance(
                JdbcErrorsTest.class.getClassLoader(),
                new Class<?>[] {DataSource.class},
                (proxy, method, args) -> connecting.call());
    OutcomeResolver resolver = LedgerGuard.create(LedgerGuardSettings.defaults()).resolver(broken);
    try {
      resolver.resolve(
          new OutcomeResolver.Unresolved(
              IdempotencyKey.of("k"),
              Fingerprint.builder("t").build(),
              1,
              1,
              IdempotencyConfig.defaults().lease()));
    } catch (RuntimeException e) {
      return e;
    }
    throw new AssertionError("a ledger that cannot be read must not answer");
  }

  /** As a logger prints it: with causes and what was suppressed. */
  private static String shown(Throwable failure) {
    StringWriter text = new StringWriter();
    failure.printStackTrace(new PrintWriter(text, true));
    return text.toString();
  }
}
