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
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The SQL of one ledger table. Never commits, never rolls back. Immutable.
 *
 * <p>The table's name is part of the SQL; {@link LedgerGuardSettings} lets only plain names pass.
 */
final class LedgerTable {

  private static final int SCOPE_TAG_LENGTH = 16;

  private final String name;
  private final Duration waitAtMost;
  private final LedgerOutcomes outcomes;

  LedgerTable(String name, Duration waitAtMost, LedgerOutcomes outcomes) {
    this.name = name;
    this.waitAtMost = waitAtMost;
    this.outcomes = outcomes;
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

  /**
   * Inserts a row for each digest of the key, in their own order, so that two processes with
   * different secrets collide whichever of them is current, and do not deadlock. Waits for
   * transactions that are about to insert it.
   *
   * @return the digest that has a row already; empty if all were inserted
   */
  Optional<byte[]> insert(Connection connection, IdempotencyKey key, Recorded row)
      throws SQLException {
    List<Integer> order = new ArrayList<>();
    List<byte[]> digests = key.digests();
    for (int i = 0; i < digests.size(); i++) {
      order.add(i);
    }
    order.sort((one, other) -> Arrays.compare(digests.get(one), digests.get(other)));
    for (int i : order) {
      Recorded form =
          new Recorded(row.fence(), row.fingerprint().under(i), row.outcome(), row.recordedAt());
      if (!insertOne(connection, key.under(i), form)) {
        return Optional.of(digests.get(i));
      }
    }
    return Optional.empty();
  }

  private boolean insertOne(Connection connection, IdempotencyKey key, Recorded row)
      throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    byte[] digest = key.digest();
    LedgerOutcomes.Stored stored = outcomes.stored(digest, row);
    String sql =
        "INSERT INTO "
            + name
            + " (key_digest, fence, fingerprint, outcome_format, tombstone, outcome, recorded_at,"
            + " scope_tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            + dialect.onConflict();
    try (PreparedStatement insert = connection.prepareStatement(sql)) {
      dialect.bound(insert, waitAtMost);
      insert.setBytes(1, digest);
      insert.setLong(2, row.fence());
      insert.setBytes(3, row.fingerprint().toBytes());
      insert.setString(4, stored.format());
      insert.setBoolean(5, stored.tombstone());
      insert.setBytes(6, stored.bytes());
      insert.setLong(7, row.recordedAt().toEpochMilli());
      insert.setBytes(8, key.scopeTag());
      return insert.executeUpdate() == 1;
    } catch (SQLException e) {
      if (dialect.isDuplicateKey(e)) {
        return false;
      }
      throw e;
    }
  }

  /** What this transaction's view of the table holds, under each digest of the key. */
  List<Recorded> find(Connection connection, IdempotencyKey key) throws SQLException {
    return find(connection, LedgerDialect.of(connection), key.digests(), "");
  }

  /** What was committed last, as far as the isolation level lets this transaction see it. */
  Optional<Recorded> findLatest(Connection connection, byte[] digest) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    return find(connection, dialect, List.of(digest), dialect.latest()).stream().findFirst();
  }

  private List<Recorded> find(
      Connection connection, LedgerDialect dialect, List<byte[]> digests, String suffix)
      throws SQLException {
    String sql =
        "SELECT fence, fingerprint, outcome_format, tombstone, outcome, recorded_at FROM "
            + name
            + " WHERE key_digest = ?"
            + suffix;
    List<Recorded> found = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(sql)) {
      dialect.bound(select, waitAtMost);
      for (byte[] digest : digests) {
        select.setBytes(1, digest);
        try (ResultSet row = select.executeQuery()) {
          if (row.next()) {
            found.add(read(digest, row));
          }
        }
      }
    }
    return found;
  }

  private Recorded read(byte[] digest, ResultSet row) throws SQLException {
    LedgerOutcomes.Stored stored =
        new LedgerOutcomes.Stored(row.getString(3), row.getBoolean(4), row.getBytes(5));
    Recorded head =
        new Recorded(
            row.getLong(1),
            Fingerprint.of(row.getBytes(2)),
            Outcome.tombstone(LedgerOutcomes.ERASED, new byte[0]),
            Instant.ofEpochMilli(row.getLong(6)));
    return new Recorded(
        head.fence(),
        head.fingerprint(),
        outcomes.outcome(digest, head, stored),
        head.recordedAt());
  }

  /** Takes the outcomes of a key away; the rows stay, so that it does not run again. */
  int erase(Connection connection, List<byte[]> digests) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    String sql =
        "UPDATE "
            + name
            + " SET outcome_format = ?, tombstone = ?, outcome = ?, scope_tag = ?"
            + " WHERE key_digest = ? AND outcome_format <> ?";
    int erased = 0;
    try (PreparedStatement update = connection.prepareStatement(sql)) {
      dialect.bound(update, waitAtMost);
      for (byte[] digest : digests) {
        update.setString(1, LedgerOutcomes.ERASED);
        update.setBoolean(2, true);
        update.setBytes(3, new byte[0]);
        update.setBytes(4, new byte[SCOPE_TAG_LENGTH]);
        update.setBytes(5, digest);
        update.setString(6, LedgerOutcomes.ERASED);
        erased += update.executeUpdate();
      }
    }
    return erased;
  }

  /** The digest of a key and what its row says of the scope. */
  record Tagged(byte[] digest, byte[] scopeTag) {}

  /** Digests in their order, after one. */
  List<Tagged> after(Connection connection, byte[] digest, int atMost) throws SQLException {
    LedgerDialect dialect = LedgerDialect.of(connection);
    String sql =
        "SELECT key_digest, scope_tag FROM "
            + name
            + " WHERE key_digest > ? ORDER BY key_digest LIMIT "
            + atMost;
    List<Tagged> found = new ArrayList<>();
    try (PreparedStatement select = connection.prepareStatement(sql)) {
      dialect.bound(select, waitAtMost);
      select.setBytes(1, digest);
      try (ResultSet rows = select.executeQuery()) {
        while (rows.next()) {
          found.add(new Tagged(rows.getBytes(1), rows.getBytes(2)));
        }
      }
    }
    return found;
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
