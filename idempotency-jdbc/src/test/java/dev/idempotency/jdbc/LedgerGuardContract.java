package dev.idempotency.jdbc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.idempotency.OutcomeResolver.Resolution;
import dev.idempotency.OutcomeResolver.Unresolved;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.PayloadEncryption;
import dev.idempotency.store.StoreException;
import dev.idempotency.testing.TestClock;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.crypto.spec.SecretKeySpec;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the guard promises on every database. The table {@code effects} stands for the business. */
@Timeout(60)
abstract class LedgerGuardContract {

  private static final Duration RETENTION = Duration.ofHours(30);

  private static final AtomicInteger TABLES = new AtomicInteger();
  private static final IdempotencyKey KEY = new IdempotencyKey("tenant-a", "transfer-1");
  private static final Outcome FIRST = Outcome.of("transfer/1", "first".getBytes(UTF_8));
  private static final Outcome SECOND = Outcome.of("transfer/1", "second".getBytes(UTF_8));
  private static final int MANY = 25;

  private final TestClock clock = new TestClock();
  private final ExecutorService otherProcess = Executors.newSingleThreadExecutor();
  private String table = "";
  private LedgerGuard guard;

  /** Opens new connections. */
  abstract DataSource dataSource();

  /** How many sessions of the database wait for another one's lock. */
  abstract String countOfWaitingSessions();

  /** Shortens a session's own lock timeout to about a second where JDBC cannot. */
  void makeImpatient(Connection connection) throws SQLException {}

  @BeforeEach
  void createTables() throws SQLException {
    table = "ledger_" + TABLES.incrementAndGet();
    guard = LedgerGuard.create(settings().build());
    try (Connection connection = dataSource().getConnection()) {
      guard.createTable(connection);
      try (Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE " + effects() + " (fence BIGINT NOT NULL)");
      }
    }
  }

  @AfterEach
  void stopOtherProcess() {
    otherProcess.shutdownNow();
  }

  private LedgerGuardSettings.Builder settings() {
    return LedgerGuardSettings.builder().table(table).retention(RETENTION).timeSource(clock);
  }

  private String effects() {
    return table + "_effects";
  }

  @Test
  void firstRecordCommitsWithItsEffect() throws SQLException {
    execute(KEY, 7, FIRST);

    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY)).isEqualTo(new Recorded(7, Owner.REQUEST, FIRST, clock.now()));
  }

  @Test
  void secondRecordIsRefusedWithWhatTheFirstRecorded() throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection second = transaction()) {
      effect(second, 8);
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, 8), SECOND))
          .isInstanceOfSatisfying(
              AlreadyExecutedException.class,
              e ->
                  assertThat(e.recorded())
                      .isEqualTo(new Recorded(7, Owner.REQUEST, FIRST, clock.now())))
          .hasMessageContaining("fence 7")
          .hasMessageNotContaining("transfer-1");
      second.rollback();
    }

    assertThat(effectsCommitted()).isEqualTo(1);
  }

  @Test
  void anErrorRollsTheTransactionBackToo() throws SQLException {
    LinkageError broken = new LinkageError("made up");
    try (Connection connection = transaction()) {
      effect(connection, 8);
      Connection breaking =
          (Connection)
              Proxy.newProxyInstance(
                  getClass().getClassLoader(),
                  new Class<?>[] {Connection.class},
                  (proxy, method, args) -> {
                    if (method.getName().equals("prepareStatement")) {
                      throw broken;
                    }
                    return method.invoke(connection, args);
                  });
      assertThatThrownBy(() -> guard.record(breaking, new Owner(KEY, 8), FIRST)).isSameAs(broken);
      connection.commit();
    }

    assertThat(effectsCommitted()).isZero();
  }

  @Test
  void handlerThatSwallowsTheRefusalAndCommitsExecutesNothing() throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection second = transaction()) {
      effect(second, 8);
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, 8), SECOND))
          .isInstanceOf(AlreadyExecutedException.class);
      second.commit();
    }

    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY).outcome()).isEqualTo(FIRST);
  }

  @Test
  void handlerThatSwallowsATooLargeOutcomeAndCommitsExecutesNothing() throws SQLException {
    LedgerGuard small = LedgerGuard.create(settings().maxOutcomeBytes(4).build());

    try (Connection connection = transaction()) {
      effect(connection, 7);
      assertThatThrownBy(() -> small.record(connection, new Owner(KEY, 7), FIRST))
          .isInstanceOf(IllegalArgumentException.class);
      connection.commit();
    }

    assertThat(effectsCommitted()).isZero();
  }

  @Test
  void savepointsBeforeARefusalAreGone() throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection second = transaction()) {
      Savepoint before = second.setSavepoint();
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, 8), SECOND))
          .isInstanceOf(AlreadyExecutedException.class);
      assertThatThrownBy(() -> second.rollback(before)).isInstanceOf(SQLException.class);
      second.rollback();
    }
  }

  @ParameterizedTest
  @MethodSource("strangers")
  void anotherRequestWithAReusedKeyIsRefusedWithoutTheOutcome(Fingerprint stranger)
      throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection second = transaction()) {
      effect(second, 8);
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, stranger, 8), SECOND))
          .isInstanceOf(KeyReusedException.class)
          .hasMessageContaining("fence 7")
          .hasMessageContaining("needs a new key")
          .hasMessageNotContaining("transfer-1");
      second.commit();
    }

    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY).outcome()).isEqualTo(FIRST);
    assertThat(resolve(KEY, stranger)).isEqualTo(new Resolution.KeyReused());
    assertThat(resolve(KEY)).isEqualTo(new Resolution.Completed(FIRST));
  }

  static Stream<Fingerprint> strangers() {
    return Stream.of(
        Fingerprint.builder("test/1").add("another transfer").build(),
        Fingerprint.builder("test/1").caller("mallory").add("transfer").build(),
        Fingerprint.builder("test/2").caller("mallory").add("transfer").build());
  }

  @Test
  void aRequestDigestedInAnotherWayHasNoEffectAndIsNotAnsweredForTheOneThatRan()
      throws SQLException {
    execute(KEY, 7, FIRST);
    Fingerprint newer = Fingerprint.builder("test/2").add("transfer, anew").build();

    try (Connection second = transaction()) {
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, newer, 8), SECOND))
          .isInstanceOf(AlreadyExecutedException.class);
    }
    assertThat(resolve(KEY, newer)).isEqualTo(new Resolution.Unknown());
    assertThat(effectsCommitted()).isEqualTo(1);
  }

  @Test
  void olderOwnerIsRefusedJustTheSame() throws SQLException {
    execute(KEY, 8, SECOND);

    assertThatThrownBy(() -> execute(KEY, 7, FIRST)).isInstanceOf(AlreadyExecutedException.class);

    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY).fence()).isEqualTo(8);
  }

  @Test
  void refusalLeavesTheTransactionReadable() throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection second = transaction()) {
      assertThatThrownBy(() -> guard.record(second, new Owner(KEY, 8), SECOND))
          .isInstanceOf(AlreadyExecutedException.class);

      assertThat(guard.find(second, KEY)).map(Recorded::outcome).contains(FIRST);
      second.rollback();
    }
  }

  @Test
  void rollbackLeavesNothingAndTheKeyFree() throws SQLException {
    try (Connection first = transaction()) {
      effect(first, 7);
      guard.record(first, new Owner(KEY, 7), FIRST);
      first.rollback();
    }
    assertThat(resolve(KEY)).isEqualTo(new Resolution.NotExecuted());

    execute(KEY, 8, SECOND);

    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY).outcome()).isEqualTo(SECOND);
  }

  @ParameterizedTest
  @ValueSource(
      ints = {
        Connection.TRANSACTION_READ_COMMITTED,
        Connection.TRANSACTION_REPEATABLE_READ,
        Connection.TRANSACTION_SERIALIZABLE
      })
  void ofTwoOpenTransactionsTheSecondWaitsAndLosesWhenTheFirstCommits(int isolation)
      throws Exception {
    try (Connection old = transaction(isolation);
        Connection taker = transaction(isolation)) {
      effect(old, 7);
      effect(taker, 8);
      guard.record(old, new Owner(KEY, 7), FIRST);
      CompletableFuture<Throwable> refusal = recordElsewhere(taker, 8, SECOND);
      awaitWaitingSession();

      old.commit();

      Throwable refused = refusal.get(30, TimeUnit.SECONDS);
      taker.rollback();
      if (refused instanceof AlreadyExecutedException e) {
        assertThat(e.recorded().outcome()).isEqualTo(FIRST);
      } else {
        // Above READ COMMITTED a database may end the transaction without showing it the row.
        assertThat(isolation).isGreaterThan(Connection.TRANSACTION_READ_COMMITTED);
        assertThat(refused)
            .isInstanceOfSatisfying(
                SQLException.class, e -> assertThat(e.getSQLState()).startsWith("40"));
      }
    }
    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY)).isEqualTo(new Recorded(7, Owner.REQUEST, FIRST, clock.now()));
  }

  @Test
  void ofTwoOpenTransactionsTheSecondWaitsAndWinsWhenTheFirstRollsBack() throws Exception {
    try (Connection old = transaction();
        Connection taker = transaction()) {
      effect(old, 7);
      effect(taker, 8);
      guard.record(old, new Owner(KEY, 7), FIRST);
      CompletableFuture<Throwable> refusal = recordElsewhere(taker, 8, SECOND);
      awaitWaitingSession();

      old.rollback();

      assertThat(refusal.get(30, TimeUnit.SECONDS)).isNull();
      taker.commit();
    }
    assertThat(effectsCommitted()).isEqualTo(1);
    assertThat(recorded(KEY)).isEqualTo(new Recorded(8, Owner.REQUEST, SECOND, clock.now()));
  }

  @Test
  void snapshotOlderThanTheOthersCommitDoesNotLetASecondEffectThrough() throws SQLException {
    try (Connection taker = transaction(Connection.TRANSACTION_REPEATABLE_READ)) {
      assertThat(guard.find(taker, KEY)).isEmpty();
      execute(KEY, 7, FIRST);

      Throwable refused = catchThrowable(() -> guard.record(taker, new Owner(KEY, 8), SECOND));

      taker.rollback();
      if (refused instanceof AlreadyExecutedException e) {
        assertThat(e.recorded().outcome()).isEqualTo(FIRST);
      } else {
        assertThat(refused)
            .isInstanceOfSatisfying(
                SQLException.class, e -> assertThat(e.getSQLState()).startsWith("40"));
      }
    }
    assertThat(effectsCommitted()).isEqualTo(1);
  }

  @Test
  void waitForAnotherTransactionIsBounded() throws SQLException {
    LedgerGuard impatient =
        LedgerGuard.create(settings().waitAtMost(Duration.ofSeconds(1)).build());
    try (Connection old = transaction();
        Connection taker = transaction()) {
      makeImpatient(taker);
      guard.record(old, new Owner(KEY, 7), FIRST);
      effect(taker, 8);

      assertThatThrownBy(() -> impatient.record(taker, new Owner(KEY, 8), SECOND))
          .isInstanceOf(SQLException.class);

      taker.commit();
      old.commit();
    }
    assertThat(recorded(KEY).fence()).isEqualTo(7);
    assertThat(effectsCommitted()).isZero();
  }

  @Test
  void resolverSaysCompletedOnceCommittedAndNotExecutedBefore() throws SQLException {
    assertThat(resolve(KEY)).isEqualTo(new Resolution.NotExecuted());
    try (Connection first = transaction()) {
      guard.record(first, new Owner(KEY, 7), FIRST);
      assertThat(resolve(KEY)).isEqualTo(new Resolution.NotExecuted());
      first.commit();
    }
    assertThat(resolve(KEY)).isEqualTo(new Resolution.Completed(FIRST));
  }

  @Test
  void resolverTurnsTheApplicationsFormatIntoTheAdapters() throws SQLException {
    execute(KEY, 7, FIRST);

    Resolution resolution =
        guard
            .resolver(
                dataSource(), row -> Outcome.of("http/1", ("201 " + text(row)).getBytes(UTF_8)))
            .resolve(new Unresolved(KEY, Owner.REQUEST, 7, 1, Duration.ZERO));

    assertThat(resolution)
        .isEqualTo(new Resolution.Completed(Outcome.of("http/1", "201 first".getBytes(UTF_8))));
  }

  @Test
  void sameKeyInAnotherScopeIsAnotherOperation() throws SQLException {
    IdempotencyKey other = new IdempotencyKey("tenant-b", KEY.value());
    execute(KEY, 7, FIRST);
    assertThat(resolve(other)).isEqualTo(new Resolution.NotExecuted());

    execute(other, 7, SECOND);

    assertThat(effectsCommitted()).isEqualTo(2);
    assertThat(recorded(KEY).outcome()).isEqualTo(FIRST);
    assertThat(recorded(other).outcome()).isEqualTo(SECOND);
  }

  @Test
  void largeEmptyAndTombstoneOutcomesComeBackAsTheyWere() throws SQLException {
    byte[] mebibyte = new byte[1024 * 1024];
    new Random(1).nextBytes(mebibyte);
    Outcome large = Outcome.of("transfer/1", mebibyte);
    Outcome empty = Outcome.of("transfer/1", new byte[0]);
    Outcome tombstone = Outcome.tombstone("transfer/1", new byte[] {1});

    execute(IdempotencyKey.of("large"), 1, large);
    execute(IdempotencyKey.of("empty"), Long.MAX_VALUE, empty);
    execute(IdempotencyKey.of("tombstone"), 0, tombstone);

    assertThat(recorded(IdempotencyKey.of("large")).outcome()).isEqualTo(large);
    assertThat(recorded(IdempotencyKey.of("empty")))
        .isEqualTo(new Recorded(Long.MAX_VALUE, Owner.REQUEST, empty, clock.now()));
    assertThat(recorded(IdempotencyKey.of("tombstone")).outcome()).isEqualTo(tombstone);
  }

  @Test
  void tooLargeAnOutcomeIsRefusedBeforeTheDatabaseIsAsked() throws SQLException {
    LedgerGuard small = LedgerGuard.create(settings().maxOutcomeBytes(4).build());
    try (Connection connection = transaction()) {
      assertThatThrownBy(() -> small.record(connection, new Owner(KEY, 7), FIRST))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("5 bytes")
          .hasMessageContaining("maxOutcomeBytes is 4");
      connection.rollback();
    }
  }

  @Test
  void recordInAutoCommitModeIsRefused() throws SQLException {
    try (Connection connection = dataSource().getConnection()) {
      assertThatThrownBy(() -> guard.record(connection, new Owner(KEY, 7), FIRST))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("setAutoCommit(false)");
    }
    assertThat(resolve(KEY)).isEqualTo(new Resolution.NotExecuted());
  }

  @Test
  void purgeDeletesOldRowsInBatchesAndKeepsYoungOnes() throws SQLException {
    for (int i = 0; i < MANY; i++) {
      execute(IdempotencyKey.of("old-" + i), i, FIRST);
    }
    clock.advance(Duration.ofDays(2));
    execute(KEY, 7, FIRST);

    try (Connection connection = transaction()) {
      assertThat(guard.purgeBatch(connection, 10)).isEqualTo(10);
      connection.commit();
    }
    assertThat(guard.purge(dataSource(), 10)).isEqualTo(MANY - 10);

    assertThat(guard.purge(dataSource(), 10)).isZero();
    assertThat(rows(table)).isEqualTo(1);
    assertThat(resolve(KEY)).isEqualTo(new Resolution.Completed(FIRST));
  }

  @Test
  void rowThatDoesNotOutliveItsRecordIsRefusedBeforeTheEffectCommits() throws SQLException {
    LedgerGuard forgetful = LedgerGuard.create(settings().retention(Owner.TTL).build());
    try (Connection connection = transaction()) {
      effect(connection, 7);
      assertThatThrownBy(() -> forgetful.record(connection, new Owner(KEY, 7), FIRST))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("retention of the ledger must be longer than the TTL of its keys");
      connection.commit();
    }
    assertThat(rows(table)).isZero();
    assertThat(effectsCommitted()).isZero();
  }

  @Test
  void rowsAreKeptForEverUnlessARetentionIsSet() throws SQLException {
    LedgerGuard keeping =
        LedgerGuard.create(LedgerGuardSettings.builder().table(table).timeSource(clock).build());
    assertThatThrownBy(() -> keeping.purge(dataSource(), 10))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("set a retention");
  }

  @Test
  void twoPurgesAtOnceDeleteEachRowOnce() throws Exception {
    for (int i = 0; i < MANY; i++) {
      execute(IdempotencyKey.of("old-" + i), i, FIRST);
    }
    clock.advance(Duration.ofDays(2));

    CompletableFuture<Long> elsewhere =
        CompletableFuture.supplyAsync(() -> purgeInFours(), otherProcess);
    long here = purgeInFours();

    assertThat(here + elsewhere.get(30, TimeUnit.SECONDS)).isEqualTo(MANY);
    assertThat(rows(table)).isZero();
  }

  @Test
  void creatingTheTableAgainKeepsItsRows() throws SQLException {
    execute(KEY, 7, FIRST);

    try (Connection connection = dataSource().getConnection()) {
      guard.createTable(connection);
    }

    assertThat(recorded(KEY).outcome()).isEqualTo(FIRST);
  }

  private long purgeInFours() {
    try {
      return guard.purge(dataSource(), 4);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private CompletableFuture<Throwable> recordElsewhere(
      Connection connection, long fence, Outcome outcome) {
    return CompletableFuture.supplyAsync(
        () -> catchThrowable(() -> guard.record(connection, new Owner(KEY, fence), outcome)),
        otherProcess);
  }

  /** Asks the database itself, for at most as long as a wait may last. */
  private void awaitWaitingSession() throws SQLException {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    try (Connection connection = dataSource().getConnection()) {
      while (count(connection, countOfWaitingSessions()) == 0) {
        assertThat(System.nanoTime()).as("a session waits for the other").isLessThan(deadline);
        Thread.onSpinWait();
      }
    }
  }

  private void execute(IdempotencyKey key, long fence, Outcome outcome) throws SQLException {
    try (Connection connection = transaction()) {
      try {
        effect(connection, fence);
        guard.record(connection, new Owner(key, fence), outcome);
        connection.commit();
      } catch (SQLException | RuntimeException e) {
        connection.rollback();
        throw e;
      }
    }
  }

  private Connection transaction() throws SQLException {
    return transaction(Connection.TRANSACTION_READ_COMMITTED);
  }

  private Connection transaction(int isolation) throws SQLException {
    Connection connection = dataSource().getConnection();
    connection.setTransactionIsolation(isolation);
    connection.setAutoCommit(false);
    return connection;
  }

  private void effect(Connection connection, long fence) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("INSERT INTO " + effects() + " VALUES (" + fence + ")");
    }
  }

  private long effectsCommitted() throws SQLException {
    return rows(effects());
  }

  private long rows(String of) throws SQLException {
    try (Connection connection = dataSource().getConnection()) {
      return count(connection, "SELECT COUNT(*) FROM " + of);
    }
  }

  private static long count(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  private static byte[] secret(int seed) {
    byte[] bytes = new byte[KeySecrets.MIN_LENGTH];
    bytes[0] = (byte) seed;
    return bytes;
  }

  private static KeySecrets secrets(int seed) {
    return KeySecrets.of(secret(seed), secret(9));
  }

  /** An owner as an engine makes it whose store has these secrets. */
  private static Owner owner(KeySecrets secrets, long fence) {
    IdempotencyKey keyed = secrets.keyed(KEY, Instant.EPOCH);
    return new Owner(keyed, secrets.keyed(keyed, Owner.REQUEST), fence);
  }

  /** Each process of a rotation meets the ones a step before and a step after it. */
  @Test
  void processesWithDifferentSecretsExecuteAKeyOnce() throws SQLException {
    List<KeySecrets> steps =
        List.of(
            secrets(1),
            secrets(1).alsoReading(secret(2), Instant.MAX),
            secrets(2).alsoReading(secret(1), Instant.MAX),
            secrets(2));
    for (int i = 0; i + 1 < steps.size(); i++) {
      for (int first : new int[] {i, i + 1}) {
        int second = first == i ? i + 1 : i;
        try (Connection connection = transaction();
            Statement statement = connection.createStatement()) {
          statement.execute("DELETE FROM " + table);
          guard.record(connection, owner(steps.get(first), 7), FIRST);
          connection.commit();
        }
        Owner late = owner(steps.get(second), 8);
        try (Connection connection = transaction()) {
          assertThatThrownBy(() -> guard.record(connection, late, SECOND))
              .isInstanceOfSatisfying(
                  AlreadyExecutedException.class,
                  e -> assertThat(e.recorded().outcome()).isEqualTo(FIRST));
        }
        assertThat(resolve(late.key(), late.fingerprint()))
            .isEqualTo(new Resolution.Completed(FIRST));
      }
    }
  }

  @Test
  void outcomesAreEncryptedAsInTheStoreAndAuthenticatedWithTheirRow() throws SQLException {
    PayloadEncryption encryption = PayloadEncryption.with(1, new SecretKeySpec(secret(1), "AES"));
    LedgerGuard encrypting = LedgerGuard.create(settings().encryption(encryption).build());
    try (Connection connection = transaction()) {
      encrypting.record(connection, new Owner(KEY, 7), FIRST);
      connection.commit();
    }

    try (Connection connection = transaction()) {
      try (Statement statement = connection.createStatement();
          ResultSet row = statement.executeQuery("SELECT outcome, outcome_format FROM " + table)) {
        assertThat(row.next()).isTrue();
        assertThat(new String(row.getBytes(1), UTF_8)).doesNotContain("first");
        assertThat(row.getString(2)).isEqualTo("encrypted/1");
      }
      assertThat(encrypting.find(connection, KEY).orElseThrow().outcome()).isEqualTo(FIRST);
      try (Statement statement = connection.createStatement()) {
        statement.execute("UPDATE " + table + " SET fence = 8");
      }
      assertThatThrownBy(() -> encrypting.find(connection, KEY))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("cannot be decrypted");
    }
  }

  @Test
  void anOutcomeInClearIsNoAnswerWhereOutcomesAreEncrypted() throws SQLException {
    execute(KEY, 7, FIRST);
    PayloadEncryption encryption = PayloadEncryption.with(1, new SecretKeySpec(secret(1), "AES"));
    LedgerGuard strict = LedgerGuard.create(settings().encryption(encryption).build());
    LedgerGuard lenient =
        LedgerGuard.create(settings().encryption(encryption.acceptPlainUntil(Instant.MAX)).build());

    try (Connection connection = transaction()) {
      assertThatThrownBy(() -> strict.find(connection, KEY))
          .isInstanceOf(StoreException.class)
          .hasMessageContaining("encryption is required");
      assertThat(lenient.find(connection, KEY).orElseThrow().outcome()).isEqualTo(FIRST);
    }
  }

  @Test
  void theOutcomesOfOneCallerAreErasedAndTheirKeysStayUsed() throws SQLException {
    KeySecrets secrets = secrets(1);
    LedgerGuard keyed = LedgerGuard.create(settings().secrets(secrets).build());
    IdempotencyKey another = new IdempotencyKey("tenant-b", "transfer-1");
    try (Connection connection = transaction()) {
      keyed.record(connection, owner(secrets, 7), FIRST);
      keyed.record(connection, new Owner(secrets.keyed(another, Instant.EPOCH), 7), SECOND);
      connection.commit();
    }

    assertThat(keyed.forgetScope(dataSource(), "tenant-a", 1)).isEqualTo(1);

    Outcome erased = Outcome.tombstone("erased/1", new byte[0]);
    try (Connection connection = transaction()) {
      assertThat(keyed.find(connection, KEY).orElseThrow().outcome()).isEqualTo(erased);
      assertThat(keyed.find(connection, another).orElseThrow().outcome()).isEqualTo(SECOND);
      assertThatThrownBy(() -> keyed.record(connection, owner(secrets, 8), FIRST))
          .isInstanceOf(AlreadyExecutedException.class);
    }
    assertThat(keyed.forgetScope(dataSource(), "tenant-a", 10)).isZero();
    assertThatThrownBy(() -> guard.forgetScope(dataSource(), "tenant-a", 10))
        .hasMessageContaining("secrets");
    try (Connection connection = transaction()) {
      assertThat(keyed.erase(connection, another)).isTrue();
      assertThat(keyed.erase(connection, another)).isFalse();
      connection.commit();
      assertThat(keyed.find(connection, another).orElseThrow().outcome()).isEqualTo(erased);
    }
  }

  @Test
  void thePurgeRunsByItselfAndGoesOnAfterAFailure() throws Exception {
    execute(KEY, 7, FIRST);
    clock.advance(RETENTION.plusSeconds(1));
    ManualScheduler scheduler = new ManualScheduler();
    AtomicInteger connections = new AtomicInteger();
    DataSource failingOnce =
        (DataSource)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {DataSource.class},
                (proxy, method, args) -> {
                  if (connections.getAndIncrement() == 0) {
                    throw new SQLException("made up");
                  }
                  return dataSource().getConnection();
                });
    try (LedgerPurge purge =
        LedgerPurge.start(guard, failingOnce, Duration.ofMinutes(5), scheduler)) {
      assertThat(purge).isNotNull();
      scheduler.tick();
      assertThat(recorded(KEY).outcome()).isEqualTo(FIRST);
      scheduler.tick();
      try (Connection connection = transaction()) {
        assertThat(guard.find(connection, KEY)).isEmpty();
      }
    }
    assertThat(scheduler.isShutdown()).isTrue();
    assertThatThrownBy(() -> guard.startPurge(dataSource(), Duration.ofSeconds(1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Runs its one task when a test says so. */
  private static final class ManualScheduler extends ScheduledThreadPoolExecutor {

    private Runnable task = () -> {};

    ManualScheduler() {
      super(1);
    }

    @Override
    public ScheduledFuture<?> scheduleWithFixedDelay(
        Runnable command, long initialDelay, long delay, TimeUnit unit) {
      task = command;
      return super.schedule(() -> {}, 0, unit);
    }

    void tick() {
      task.run();
    }
  }

  private Recorded recorded(IdempotencyKey key) throws SQLException {
    try (Connection connection = dataSource().getConnection()) {
      return guard.find(connection, key).orElseThrow();
    }
  }

  private Resolution resolve(IdempotencyKey key) {
    return resolve(key, Owner.REQUEST);
  }

  private Resolution resolve(IdempotencyKey key, Fingerprint request) {
    return guard.resolver(dataSource()).resolve(new Unresolved(key, request, 7, 1, Duration.ZERO));
  }

  private static String text(Recorded recorded) {
    return new String(recorded.outcome().toBytes(), UTF_8);
  }
}
