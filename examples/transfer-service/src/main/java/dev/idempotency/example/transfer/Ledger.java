package dev.idempotency.example.transfer;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import dev.idempotency.example.transfer.TransferException.Reason;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;
import javax.sql.DataSource;

/**
 * Accounts and transfers in a SQL database. Any number of processes may share one.
 *
 * <p>Thread-safe; blocks on the database. Failures are {@link TransferException}s: {@link
 * Reason#IN_DOUBT} if a commit was not confirmed, {@link Reason#UNAVAILABLE} for all others.
 */
final class Ledger implements AutoCloseable {

  /** Of one account's transfers, so many of the newest are listed. */
  static final int LISTED = 1000;

  private static final String SELECT_ACCOUNT =
      "SELECT id, balance, currency FROM accounts WHERE id = ?";
  private static final String SELECT_TRANSFER =
      "SELECT id, from_account, to_account, amount, currency, created_at FROM transfers ";

  private final HikariDataSource pool;
  private final LedgerTransaction transactions;

  private Ledger(HikariDataSource pool) {
    this.pool = pool;
    this.transactions = new LedgerTransaction(pool);
  }

  /**
   * Opens a ledger; creates the tables and those of the accounts that are not there yet.
   *
   * @param jdbcUrl of a database whose driver is on the class path
   * @param balances opening balances by account id, in {@code currency}
   */
  static Ledger open(String jdbcUrl, Map<String, Long> balances, String currency) {
    HikariConfig config = new HikariConfig();
    config.setPoolName("ledger");
    config.setJdbcUrl(jdbcUrl);
    config.setMaximumPoolSize(16);
    config.setConnectionTimeout(5_000);
    // Two processes that open one H2 file at once: the second may have to try again.
    config.setInitializationFailTimeout(10_000);
    Ledger ledger = new Ledger(new HikariDataSource(config));
    try {
      new LedgerSchema(ledger.transactions).create(balances, currency);
    } catch (RuntimeException e) {
      ledger.close();
      throw e;
    }
    return ledger;
  }

  /** What else is written in the transaction of a transfer. */
  @FunctionalInterface
  interface Record {
    void write(Connection connection, Transfer transfer) throws SQLException;
  }

  /** Debits, credits, writes the transfer and its record, or does none of it. */
  Transfer transfer(TransferOrder order, Record record) {
    return transactions.run(
        connection -> {
          Transfer transfer = transfer(connection, order);
          record.write(connection, transfer);
          return transfer;
        });
  }

  private static Transfer transfer(Connection connection, TransferOrder order) throws SQLException {
    Map<String, Account> accounts = lock(connection, order);
    long debited = required(accounts, order.from()).balance() - order.amount();
    if (debited < 0) {
      throw new TransferException(
          Reason.INSUFFICIENT_FUNDS, "account " + order.from() + " holds less than the amount");
    }
    long held = required(accounts, order.to()).balance();
    if (held > Long.MAX_VALUE - order.amount()) {
      throw new TransferException(
          Reason.BALANCE_LIMIT, "account " + order.to() + " cannot hold that much");
    }
    setBalance(connection, order.from(), debited);
    setBalance(connection, order.to(), held + order.amount());
    Transfer transfer =
        new Transfer(UUID.randomUUID(), order, Instant.now().truncatedTo(ChronoUnit.MILLIS));
    insert(connection, transfer);
    return transfer;
  }

  /** Locks both rows, always in the order of their ids, so that no two transfers deadlock. */
  private static Map<String, Account> lock(Connection connection, TransferOrder order)
      throws SQLException {
    Map<String, Account> accounts = new TreeMap<>();
    for (String id : Stream.of(order.from(), order.to()).sorted().toList()) {
      Account account =
          account(connection, SELECT_ACCOUNT + " FOR UPDATE", id).orElseThrow(() -> unknown(id));
      if (!account.currency().equals(order.currency())) {
        throw TransferException.invalid(
            "'currency' must be that of the accounts, "
                + account.currency()
                + ", but is "
                + order.currency());
      }
      accounts.put(id, account);
    }
    return accounts;
  }

  private static Account required(Map<String, Account> accounts, String id) {
    return Optional.ofNullable(accounts.get(id)).orElseThrow(() -> unknown(id));
  }

  private static void setBalance(Connection connection, String id, long balance)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement("UPDATE accounts SET balance = ? WHERE id = ?")) {
      statement.setLong(1, balance);
      statement.setString(2, id);
      statement.executeUpdate();
    }
  }

  private static void insert(Connection connection, Transfer transfer) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(
            "INSERT INTO transfers (id, from_account, to_account, amount, currency, created_at)"
                + " VALUES (?, ?, ?, ?, ?, ?)")) {
      statement.setString(1, transfer.id().toString());
      statement.setString(2, transfer.order().from());
      statement.setString(3, transfer.order().to());
      statement.setLong(4, transfer.order().amount());
      statement.setString(5, transfer.order().currency());
      statement.setObject(6, transfer.createdAt().atOffset(ZoneOffset.UTC));
      statement.executeUpdate();
    }
  }

  /** Reads one account; {@link Reason#NOT_FOUND} if there is none. */
  Account account(String id) {
    return transactions.run(
        connection -> account(connection, SELECT_ACCOUNT, id).orElseThrow(() -> unknown(id)));
  }

  private static Optional<Account> account(Connection connection, String select, String id)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(select)) {
      statement.setString(1, id);
      try (ResultSet row = statement.executeQuery()) {
        return row.next()
            ? Optional.of(new Account(row.getString(1), row.getLong(2), row.getString(3)))
            : Optional.empty();
      }
    }
  }

  /** Reads one transfer. */
  Optional<Transfer> find(UUID id) {
    return transactions.run(
        connection -> select(connection, "WHERE id = ?", id.toString()).stream().findFirst());
  }

  /**
   * The newest {@value #LISTED} transfers from or to an account, oldest first; {@link
   * Reason#NOT_FOUND} if there is no such account.
   */
  List<Transfer> transfersOf(String account) {
    return transactions.run(
        connection -> {
          if (account(connection, SELECT_ACCOUNT, account).isEmpty()) {
            throw unknown(account);
          }
          List<Transfer> newestFirst =
              select(
                  connection,
                  "WHERE from_account = ? OR to_account = ? ORDER BY seq DESC FETCH FIRST "
                      + LISTED
                      + " ROWS ONLY",
                  account,
                  account);
          Collections.reverse(newestFirst);
          return newestFirst;
        });
  }

  private static List<Transfer> select(Connection connection, String where, String... values)
      throws SQLException {
    List<Transfer> transfers = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(SELECT_TRANSFER + where)) {
      for (int i = 0; i < values.length; i++) {
        statement.setString(i + 1, values[i]);
      }
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          transfers.add(
              new Transfer(
                  UUID.fromString(row.getString(1)),
                  new TransferOrder(
                      row.getString(2), row.getString(3), row.getLong(4), row.getString(5)),
                  row.getObject(6, OffsetDateTime.class).toInstant()));
        }
      }
    }
    return transfers;
  }

  private static TransferException unknown(String account) {
    return new TransferException(Reason.NOT_FOUND, "there is no account '" + account + "'");
  }

  /** Creates a table of another's beside the ledger's; several processes may do so at once. */
  void createTable(LedgerSchema.Table table) {
    new LedgerSchema(transactions).create(table);
  }

  DataSource dataSource() {
    return pool;
  }

  /** Does the database answer? */
  boolean isReachable() {
    try (Connection connection = pool.getConnection()) {
      return connection.isValid(1);
    } catch (SQLException e) {
      return false;
    }
  }

  @Override
  public void close() {
    pool.close();
  }
}
