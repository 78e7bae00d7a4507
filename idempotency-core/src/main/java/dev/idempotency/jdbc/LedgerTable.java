package dev.idempotency.jdbc;

import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The SQL of one ledger table. Never commits, never rolls back. Immutable.
 *
 * <p>The table's name is part of the SQL; {@link LedgerGuardSettings} lets only plain names pass.
 */
final class LedgerTable {

  private final String name;
  private final Duration waitAtMost;

  LedgerTable(String name, Duration waitAtMost) {
    this.name = name;
    this.waitAtMost = waitAtMost;
  }

  String ddl(LedgerDialect dialect) {
    String unqualified = name.substring(name.indexOf('.') + 1);
    return dialect
        .ddl()
        .replace("${table}", name)
        .replace("${index}", unqualified + "_recorded_at");
  }

  void create(Connection connection) throws SQLException {
    String ddl = ddl(LedgerDialect.of(connection)).replaceAll("(?m)^--.*$", "");
    try (Statement statement = connection.createStatement()) {
      for (String sql : ddl.split(";", -1)) {
        if (!sql.isBlank()) {
          statement.execute(sql);
        }
      }
    }
  }

  /** False if the key has a row already. Waits for transactions that are about to insert it. */
  boolean insert(Connection connection, IdempotencyKey key, Recorded row) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    String sql =
        "INSERT INTO "
            + name
            + " (key_digest, fence, fingerprint, outcome_format, tombstone, outcome, recorded_at)"
            + " VALUES (?, ?, ?, ?, ?, ?, ?)"
            + dialect.onConflict();
    try (PreparedStatement insert = connection.prepareStatement(sql)) {
      dialect.bound(insert, waitAtMost);
      insert.setBytes(1, key.digest());
      insert.setLong(2, row.fence());
      insert.setBytes(3, row.fingerprint().toBytes());
      insert.setString(4, row.outcome().format());
      insert.setBoolean(5, row.outcome().isTombstone());
      insert.setBytes(6, row.outcome().toBytes());
      insert.setLong(7, row.recordedAt().toEpochMilli());
      return insert.executeUpdate() == 1;
    } catch (SQLException e) {
      if (dialect.isDuplicateKey(e)) {
        return false;
      }
      throw e;
    }
  }

  /** What this transaction's view of the table holds. */
  Optional<Recorded> find(Connection connection, IdempotencyKey key) throws SQLException {
    return find(connection, LedgerDialect.of(connection), key, "");
  }

  /** What was committed last, as far as the isolation level lets this transaction see it. */
  Optional<Recorded> findLatest(Connection connection, IdempotencyKey key) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    return find(connection, dialect, key, dialect.latest());
  }

  private Optional<Recorded> find(
      Connection connection, LedgerDialect dialect, IdempotencyKey key, String suffix)
      throws SQLException {
    String sql =
        "SELECT fence, fingerprint, outcome_format, tombstone, outcome, recorded_at FROM "
            + name
            + " WHERE key_digest = ?"
            + suffix;
    try (PreparedStatement select = connection.prepareStatement(sql)) {
      dialect.bound(select, waitAtMost);
      select.setBytes(1, key.digest());
      try (ResultSet row = select.executeQuery()) {
        return row.next() ? Optional.of(read(row)) : Optional.empty();
      }
    }
  }

  private static Recorded read(ResultSet row) throws SQLException {
    String format = row.getString(3);
    byte[] bytes = row.getBytes(5);
    Outcome outcome =
        row.getBoolean(4) ? Outcome.tombstone(format, bytes) : Outcome.of(format, bytes);
    return new Recorded(
        row.getLong(1),
        Fingerprint.of(row.getBytes(2)),
        outcome,
        Instant.ofEpochMilli(row.getLong(6)));
  }

  /**
   * Deletes the oldest rows that were recorded before a time.
   *
   * <p>Reads the keys, then deletes them one by one in a batch: MySQL takes no LIMIT in a subquery,
   * PostgreSQL none in a DELETE. The order keeps two purges from deadlocking.
   *
   * @return how many were deleted
   */
  int deleteOldest(Connection connection, Instant before, int atMost) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    List<byte[]> digests = oldest(connection, dialect, before, atMost);
    if (digests.isEmpty()) {
      return 0;
    }
    String sql = "DELETE FROM " + name + " WHERE key_digest = ? AND recorded_at < ?";
    try (PreparedStatement delete = connection.prepareStatement(sql)) {
      dialect.bound(delete, waitAtMost);
      for (byte[] digest : digests) {
        delete.setBytes(1, digest);
        delete.setLong(2, before.toEpochMilli());
        delete.addBatch();
      }
      int deleted = 0;
      for (int count : delete.executeBatch()) {
        deleted += count == Statement.SUCCESS_NO_INFO ? 1 : count;
      }
      return deleted;
    }
  }

  private List<byte[]> oldest(
      Connection connection, LedgerDialect dialect, Instant before, int atMost)
      throws SQLException {
    String sql =
        "SELECT key_digest FROM "
            + name
            + " WHERE recorded_at < ? ORDER BY recorded_at, key_digest LIMIT "
            + atMost;
    try (PreparedStatement select = connection.prepareStatement(sql)) {
      dialect.bound(select, waitAtMost);
      select.setLong(1, before.toEpochMilli());
      List<byte[]> digests = new ArrayList<>();
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          digests.add(rows.getBytes(1));
        }
      }
      return digests;
    }
  }
}
