package dev.idempotency.jdbc;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Locale;

/** The databases that the guard knows, and the three points where they differ. */
public enum LedgerDialect {
  /**
   * PostgreSQL. A failed statement spoils the whole transaction there, so the insert is told to do
   * nothing on a conflict, and the row can still be read.
   */
  POSTGRESQL(" ON CONFLICT (key_digest) DO NOTHING", ""),

  /**
   * MySQL and MariaDB with InnoDB. No {@code INSERT IGNORE}, which would cut what does not fit. The
   * read takes a shared lock, because a plain one would look into the transaction's old snapshot.
   */
  MYSQL("", " LOCK IN SHARE MODE"),

  /** H2 2.x. */
  H2("", "");

  private static final int MYSQL_DUPLICATE_KEY = 1062;
  private static final int H2_DUPLICATE_KEY = 23505;

  private final String onConflict;
  private final String latest;

  LedgerDialect(String onConflict, String latest) {
    this.onConflict = onConflict;
    this.latest = latest;
  }

  /** The dialect of a connection, by the product that it names. */
  static LedgerDialect of(Connection connection) throws SQLException {
    String product = connection.getMetaData().getDatabaseProductName();
    return switch (product) {
      case "PostgreSQL" -> POSTGRESQL;
      case "MySQL", "MariaDB" -> MYSQL;
      case "H2" -> H2;
      default ->
          throw new SQLFeatureNotSupportedException(
              "the ledger guard does not know the database "
                  + product
                  + "; it runs on PostgreSQL, MySQL, MariaDB and H2");
    };
  }

  /** What ends an insert so that a conflict does not spoil the transaction. */
  String onConflict() {
    return onConflict;
  }

  /** What ends a select so that it sees what others have committed since the transaction began. */
  String latest() {
    return latest;
  }

  boolean isDuplicateKey(SQLException e) {
    return switch (this) {
      case POSTGRESQL -> false;
      case MYSQL -> e.getErrorCode() == MYSQL_DUPLICATE_KEY;
      case H2 -> e.getErrorCode() == H2_DUPLICATE_KEY;
    };
  }

  /**
   * Bounds how long a statement may wait for a lock. Not on H2: there the setting would stay with
   * the application's session, and {@code LOCK_TIMEOUT} bounds the wait already.
   */
  void bound(Statement statement, Duration atMost) throws SQLException {
    if (this != H2) {
      statement.setQueryTimeout(Math.toIntExact(atMost.toSeconds()));
    }
  }

  /** The shipped DDL, with its placeholders. */
  String ddl() {
    String resource = name().toLowerCase(Locale.ROOT) + ".sql";
    try (InputStream in = LedgerDialect.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new IllegalStateException("dev/idempotency/jdbc/" + resource + " is not in the jar");
      }
      return new String(in.readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
