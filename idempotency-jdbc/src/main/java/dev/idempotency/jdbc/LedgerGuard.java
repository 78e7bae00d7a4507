package dev.idempotency.jdbc;

import dev.idempotency.Execution;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLTransactionRollbackException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import javax.sql.DataSource;

/**
 * One row for each executed key, beside the business rows and in the same transaction: it commits
 * with the effect or not at all, and its unique key lets only one transaction commit.
 *
 * <pre>{@code
 * try (Connection connection = dataSource.getConnection()) {
 *   connection.setAutoCommit(false);
 *   try {
 *     String transferId = transfer(connection, from, to, cents);
 *     Outcome outcome = Outcome.of("transfer/1", transferId.getBytes(UTF_8));
 *     guard.record(connection, execution, outcome);
 *     connection.commit();
 *     return transferId;
 *   } catch (AlreadyExecutedException e) {
 *     return new String(e.recorded().outcome().toBytes(), UTF_8);
 *   } catch (SQLException | RuntimeException e) {
 *     connection.rollback();
 *     throw e;
 *   }
 * }
 * }</pre>
 *
 * <h2>What it gives</h2>
 *
 * <ul>
 *   <li><b>One effect.</b> If an owner was paused past its lease and another took the key over, or
 *       if the store lost the claim, both may run, but exactly one of their transactions commits,
 *       whichever inserts first. The other is rolled back and gets {@link AlreadyExecutedException}
 *       with what was recorded, which its caller gets.
 *   <li><b>An answer for abandoned keys.</b> {@link #resolver} says completed if the row is there.
 *       If it is not, it says not executed, though the old owner's transaction may still be open:
 *       should that one commit later, the new owner's insert collides and rolls back. This holds
 *       only if <em>every</em> effect of the key is committed together with {@link #record}; an
 *       effect outside that transaction (a call to another service) needs {@link
 *       Execution#downstreamKey} of its own.
 * </ul>
 *
 * <h2>What it asks for</h2>
 *
 * <ul>
 *   <li>Every owner of a key uses the same table of the same database, and the resolver reads the
 *       primary: a replica that lags would say "not executed" too early.
 *   <li>An acknowledged commit survives the database's failover (synchronous replication); the
 *       guarantee is as strong as the business rows themselves, no stronger.
 *   <li>Rows live longer than the store's records, plus the longest time that a transaction can
 *       stay open: for ever, unless {@link LedgerGuardSettings.Builder#retention} says otherwise.
 *       When the record has expired, or was lost, and the row is there, the same request gets what
 *       is recorded, and another one with the key is refused with {@link KeyReusedException}.
 * </ul>
 *
 * <p>While another transaction has inserted the key and is not over, {@link #record} waits for it,
 * at most {@link LedgerGuardSettings#waitAtMost()}. Recording early saves the loser's work,
 * recording last keeps that wait short; both are right.
 *
 * <p>The outcome is recorded before the adapter has formatted an answer, so it is either in the
 * adapter's format already (its encoder is called in the handler), or in a format of the
 * application's own, which {@link #resolver(DataSource, Function)} turns into the adapter's.
 *
 * <p>Thread-safe.
 */
public final class LedgerGuard {

  /** Most rows that one purge step deletes. */
  public static final int MAX_BATCH = 10_000;

  private final LedgerGuardSettings settings;
  private final LedgerTable table;

  private LedgerGuard(LedgerGuardSettings settings) {
    this.settings = settings;
    this.table =
        new LedgerTable(
            settings.table(),
            settings.waitAtMost(),
            new LedgerOutcomes(
                settings.maxOutcomeBytes(), settings.encryption(), settings.timeSource()));
  }

  /** A guard on the table that the settings name. Touches no database. */
  public static LedgerGuard create(LedgerGuardSettings settings) {
    return new LedgerGuard(settings);
  }

  /** The DDL of the table and its index, for a migration tool; repeatable. */
  public String ddl(LedgerDialect dialect) {
    return table.ddl(dialect);
  }

  /**
   * Creates the table and its index unless they exist. On MySQL and MariaDB this commits the open
   * transaction, as all DDL does there.
   *
   * @throws SQLException if the database refuses, or is none of {@link LedgerDialect}
   */
  public void createTable(Connection connection) throws SQLException {
    table.create(connection);
  }

  /**
   * Inserts the key, its fence, its request's fingerprint and its outcome into the connection's
   * open transaction. Does not commit.
   *
   * <p>Call it once in an execution. Any exception or error but the one about auto-commit mode has
   * rolled the transaction back first, so that whoever catches it and commits, commits nothing of
   * the work before it. What the handler does after it on this connection is a transaction of its
   * own and not guarded: answer with what is recorded, or let the exception pass, and the engine
   * asks the {@link #resolver} how the key really ended. Savepoints of the transaction are gone. A
   * connection that a JTA transaction manager drives cannot be rolled back from here; there the
   * exception has to reach the manager.
   *
   * @param outcome at most {@link LedgerGuardSettings#maxOutcomeBytes()} bytes
   * @throws AlreadyExecutedException if another transaction has committed this key for the same
   *     request
   * @throws KeyReusedException if one has for another request, or another caller's
   * @throws IllegalStateException if the connection is in auto-commit mode, where the row would be
   *     committed without the effect
   * @throws IllegalArgumentException if the outcome is too large, or the record of the key lives as
   *     long as the {@linkplain LedgerGuardSettings#retention() retention} of its row, or longer
   * @throws SQLException if the wait was too long, or the database ended this transaction for
   *     another's sake (SQLState 40…, as above READ COMMITTED), or failed
   */
  public void record(Connection connection, Execution execution, Outcome outcome)
      throws SQLException {
    if (connection.getAutoCommit()) {
      throw new IllegalStateException(
          "the ledger guard records within a transaction, but the connection is in auto-commit"
              + " mode; call setAutoCommit(false), or begin a transaction, first");
    }
    try {
      insert(connection, execution, outcome);
    } catch (Throwable e) {
      // Not every database spoils the transaction itself, and a commit without the row would be a
      // second execution. An Error leaves it open as an exception does.
      try {
        connection.rollback();
      } catch (SQLException | RuntimeException | Error notRolledBack) {
        e.addSuppressed(notRolledBack);
      }
      throw e;
    }
  }

  private void insert(Connection connection, Execution execution, Outcome outcome)
      throws SQLException {
    if (outcome.size() > settings.maxOutcomeBytes()) {
      throw new IllegalArgumentException(
          "the outcome has "
              + outcome.size()
              + " bytes, but maxOutcomeBytes is "
              + settings.maxOutcomeBytes()
              + "; record a reference to the result, or a tombstone");
    }
    settings.retention().ifPresent(retention -> checkOutlives(retention, execution));
    IdempotencyKey key = execution.key();
    Recorded row = new Recorded(execution.fence(), execution.fingerprint(), outcome, now());
    Optional<byte[]> taken = table.insert(connection, key, row);
    if (taken.isEmpty()) {
      return;
    }
    // Not by the key: under another of its digests this transaction may have inserted a row itself.
    Recorded standing =
        table
            .findLatest(connection, taken.get())
            .orElseThrow(
                () ->
                    new SQLTransactionRollbackException(
                        key
                            + " was executed by a transaction that this one's isolation level"
                            + " hides; roll back",
                        "40001"));
    throw standing.isOfAnotherThan(execution.fingerprint())
        ? new KeyReusedException(key, standing.fence())
        : new AlreadyExecutedException(key, standing);
  }

  private static void checkOutlives(Duration retention, Execution execution) {
    if (retention.compareTo(execution.ttl()) <= 0) {
      throw new IllegalArgumentException(
          "retention of the ledger must be longer than the TTL of its keys, but "
              + retention
              + " <= "
              + execution.ttl()
              + "; a purged key could run again while its record is expected");
    }
  }

  /**
   * What is recorded for a key, in the transaction's view; for handlers that look first, and for
   * operators.
   */
  public Optional<Recorded> find(Connection connection, IdempotencyKey key) throws SQLException {
    return table.find(connection, keyed(key)).stream().findFirst();
  }

  private IdempotencyKey keyed(IdempotencyKey key) {
    return settings.secrets().keyed(key, settings.timeSource().now());
  }

  /**
   * Takes the outcome of a key away, in the connection's open transaction. Its row stays, so that
   * the key does not run again; a retry is answered that it ran, without the result.
   *
   * @return whether there was an outcome
   */
  public boolean erase(Connection connection, IdempotencyKey key) throws SQLException {
    return table.erase(connection, keyed(key).digests()) > 0;
  }

  /**
   * Takes the outcomes of one caller away, and what says that they were this caller's; as {@link
   * dev.idempotency.IdempotencyAdmin#forgetScope} does in the store. Reads the digests of all rows,
   * batch by batch, each in a transaction of its own.
   *
   * @param scope as the requests had it
   * @param batchSize rows in one transaction, 1 to {@value #MAX_BATCH}
   * @return how many outcomes were erased
   * @throws IllegalStateException without {@link LedgerGuardSettings.Builder#secrets}: no row says
   *     whose it is then
   */
  public long forgetScope(DataSource dataSource, String scope, int batchSize) throws SQLException {
    if (!settings.secrets().isKeyed()) {
      throw new IllegalStateException(
          "without secrets no row of the ledger says whose it is; give the settings the secrets of"
              + " the store");
    }
    checkBatch(batchSize);
    long erased = 0;
    byte[] last = new byte[0];
    List<LedgerTable.Tagged> batch;
    do {
      try (Connection connection = dataSource.getConnection()) {
        batch = table.after(connection, last, batchSize);
        erased += inTransaction(connection, eraseOf(scope, batch));
        last = batch.isEmpty() ? last : batch.get(batch.size() - 1).digest();
      }
    } while (batch.size() == batchSize);
    return erased;
  }

  @FunctionalInterface
  private interface Work {
    int in(Connection connection) throws SQLException;
  }

  private Work eraseOf(String scope, List<LedgerTable.Tagged> rows) {
    List<byte[]> own =
        rows.stream()
            .filter(row -> settings.secrets().isOfScope(row.digest(), row.scopeTag(), scope))
            .map(LedgerTable.Tagged::digest)
            .toList();
    return connection -> own.isEmpty() ? 0 : table.erase(connection, own);
  }

  private static int inTransaction(Connection connection, Work work) throws SQLException {
    boolean autoCommit = connection.getAutoCommit();
    connection.setAutoCommit(false);
    try {
      int done = work.in(connection);
      connection.commit();
      return done;
    } finally {
      connection.rollback();
      connection.setAutoCommit(autoCommit);
    }
  }

  /**
   * A resolver for outcomes that were recorded in the adapter's format.
   *
   * @param dataSource reads the primary, at READ COMMITTED or above
   */
  public OutcomeResolver resolver(DataSource dataSource) {
    return resolver(dataSource, Recorded::outcome);
  }

  /**
   * A resolver for outcomes that were recorded in the application's format. It throws {@link
   * IllegalStateException} if the database cannot answer, which the engine takes as unknown.
   *
   * @param dataSource reads the primary, at READ COMMITTED or above
   * @param toOutcome turns what is recorded into the outcome that the adapter replays; called on
   *     the request's thread, outside of any transaction; thread-safe
   */
  public OutcomeResolver resolver(
      DataSource dataSource, Function<? super Recorded, Outcome> toOutcome) {
    return new LedgerResolver(table, dataSource, toOutcome);
  }

  /**
   * Purges by itself: now, and again and again until it is closed.
   *
   * @param dataSource of the ledger
   * @param every pause between two purges, 1 min to 1 day
   * @return close it when the application stops
   * @throws IllegalStateException if no retention is set: rows are kept for ever
   */
  public LedgerPurge startPurge(DataSource dataSource, Duration every) {
    requireRetention();
    return LedgerPurge.start(this, dataSource, every);
  }

  /**
   * Deletes all rows older than the {@linkplain LedgerGuardSettings#retention() retention}, batch
   * by batch, each in a transaction of its own. May run in several processes at once.
   *
   * @param batchSize rows in one transaction, 1 to {@value #MAX_BATCH}
   * @return how many rows this call deleted
   * @throws IllegalStateException if no retention is set: rows are kept for ever
   */
  public long purge(DataSource dataSource, int batchSize) throws SQLException {
    try (Connection connection = dataSource.getConnection()) {
      boolean autoCommit = connection.getAutoCommit();
      connection.setAutoCommit(false);
      try {
        long purged = 0;
        int batch;
        do {
          batch = purgeBatch(connection, batchSize);
          connection.commit();
          purged += batch;
        } while (batch == batchSize);
        return purged;
      } finally {
        connection.rollback();
        connection.setAutoCommit(autoCommit);
      }
    }
  }

  /**
   * Deletes the oldest rows older than the {@linkplain LedgerGuardSettings#retention() retention}
   * in the connection's open transaction.
   *
   * @param batchSize most rows to delete, 1 to {@value #MAX_BATCH}
   * @return how many; fewer than {@code batchSize} if no more are that old, or if another purge
   *     took them
   * @throws IllegalStateException if no retention is set: rows are kept for ever
   */
  public int purgeBatch(Connection connection, int batchSize) throws SQLException {
    Duration retention = requireRetention();
    checkBatch(batchSize);
    return table.deleteOldest(connection, now().minus(retention), batchSize);
  }

  private Duration requireRetention() {
    return settings
        .retention()
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "the ledger guard keeps its rows for ever; set a retention in its settings to"
                        + " purge"));
  }

  private static void checkBatch(int batchSize) {
    if (batchSize < 1 || batchSize > MAX_BATCH) {
      throw new IllegalArgumentException(
          "batchSize must be 1 to " + MAX_BATCH + ", but is " + batchSize);
    }
  }

  private Instant now() {
    return settings.timeSource().now().truncatedTo(ChronoUnit.MILLIS);
  }
}
