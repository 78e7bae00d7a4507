package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.ByteString;
import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.jdbc.LedgerGuard;
import dev.idempotency.jdbc.LedgerGuardSettings;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import dev.idempotency.testing.RedisProcess;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.DriverManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Processes are killed and frozen at every step of a transfer, one over HTTP from alice to bob and
 * one over gRPC from carol to dave; the same requests are sent again until there is a final answer.
 */
@Timeout(60)
class KillIT {

  private static LedgerProcess database;
  private static RedisProcess redis;

  private final String ledger = database.newDatabase();
  private final String key = UUID.randomUUID().toString();

  @BeforeAll
  static void start() throws Exception {
    database = LedgerProcess.start();
    redis = RedisProcess.start();
  }

  @AfterAll
  static void stop() {
    redis.close();
    database.close();
  }

  private ServiceProcess service(String... flags) throws Exception {
    return service(redis, flags);
  }

  private ServiceProcess service(RedisProcess keys, String... flags) throws Exception {
    List<String> all =
        new ArrayList<>(
            List.of(
                "--redis=" + keys.uri(),
                "--ledger=" + ledger,
                "--accounts=alice=1000,bob=0,carol=1000,dave=0",
                "--lease=1s"));
    all.addAll(Arrays.asList(flags));
    return ServiceProcess.start(all.toArray(String[]::new));
  }

  private CreateTransferRequest grpcOrder() {
    return GrpcCaller.order("grpc-" + key, 5).toBuilder()
        .setFromAccount("carol")
        .setToAccount("dave")
        .build();
  }

  private CompletableFuture<HttpResponse<String>> send(HttpCaller http) {
    return http.createAsync("http-" + key, HttpCaller.order(7));
  }

  private CompletableFuture<ByteString> send(GrpcCaller grpc) {
    // Not the common pool: on two cores it has one thread, and from JDK 25 on others need it.
    return CompletableFuture.supplyAsync(
        () -> grpc.create(grpcOrder()), task -> new Thread(task, "grpc-caller").start());
  }

  /** Asks again while the key is in flight or the service is not available. */
  private HttpResponse<String> finalAnswer(HttpCaller http) throws Exception {
    HttpResponse<String> answer = send(http).get();
    while (HttpCaller.isInFlight(answer) || answer.statusCode() == 503) {
      backOff();
      answer = send(http).get();
    }
    return answer;
  }

  private ByteString finalAnswer(GrpcCaller grpc) {
    while (true) {
      try {
        return grpc.create(grpcOrder());
      } catch (StatusRuntimeException e) {
        Status.Code code = e.getStatus().getCode();
        if (code != Status.Code.ABORTED && code != Status.Code.UNAVAILABLE) {
          throw e;
        }
        backOff();
      }
    }
  }

  /** What a client does between its tries. */
  private static void backOff() {
    LockSupport.parkNanos(Duration.ofMillis(20).toNanos());
  }

  private void assertOneTransferEachAndItsTrueAnswer(ServiceProcess service) throws Exception {
    HttpCaller http = service.http();
    try (GrpcCaller grpc = service.grpc()) {
      HttpResponse<String> overHttp = finalAnswer(http);
      ByteString overGrpc = finalAnswer(grpc);

      assertThat(overHttp.statusCode()).as(overHttp.body()).isEqualTo(201);
      assertThat(http.transfers("bob")).isEqualTo(1);
      assertThat(http.balance("bob")).isEqualTo(7);
      String location = overHttp.headers().firstValue("Location").orElseThrow();
      assertThat(http.get(location).body()).isEqualTo(overHttp.body());
      assertThat(http.transfers("dave")).isEqualTo(1);
      assertThat(http.balance("dave")).isEqualTo(5);
      assertThat(GrpcCaller.parse(overGrpc).getId())
          .isEqualTo(
              http.json("/v1/transfers?account=dave")
                  .path("transfers")
                  .path(0)
                  .path("id")
                  .asText());

      HttpResponse<String> again = send(http).get();
      assertThat(again.body()).isEqualTo(overHttp.body());
      assertThat(again.headers().firstValue("Location")).hasValue(location);
      assertThat(again.headers().firstValue("Content-Type"))
          .isEqualTo(overHttp.headers().firstValue("Content-Type"))
          .hasValue("application/json");
      assertThat(HttpCaller.replayed(again)).hasValue("true");
      assertThat(grpc.create(grpcOrder())).isEqualTo(overGrpc);
    }
  }

  /**
   * Sends both transfers, kills the service where they stop, and proves that nobody was answered.
   */
  private void killAt(PauseAt.Step step, String... flags) throws Exception {
    List<String> all = new ArrayList<>(List.of("--pause-at=" + step));
    all.addAll(Arrays.asList(flags));
    try (ServiceProcess service = service(all.toArray(String[]::new));
        GrpcCaller grpc = service.grpc()) {
      CompletableFuture<HttpResponse<String>> overHttp = send(service.http());
      CompletableFuture<ByteString> overGrpc = send(grpc);
      service.awaitPaused(2);
      service.kill();
      assertThat(overHttp).failsWithin(Duration.ofSeconds(20));
      assertThat(overGrpc).failsWithin(Duration.ofSeconds(20));
    }
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NOWHERE")
  void aServerKilledAtAnyStepThenARetryGivesOneTransferAndItsTrueAnswer(PauseAt.Step step)
      throws Exception {
    killAt(step);
    try (ServiceProcess next = service()) {
      assertOneTransferEachAndItsTrueAnswer(next);
    }
  }

  @Test
  void withoutTheGuardAServerKilledAfterTheCommitLeavesTheOutcomeUnknownAndNothingRunsTwice()
      throws Exception {
    killAt(PauseAt.Step.AFTER_COMMIT, "--ledger-guard=false");
    try (ServiceProcess next = service("--ledger-guard=false");
        GrpcCaller grpc = next.grpc()) {
      HttpResponse<String> overHttp = finalAnswer(next.http());

      assertThat(overHttp.statusCode()).isEqualTo(409);
      assertThat(overHttp.body()).contains("outcome-unknown");
      assertThat(statusOf(grpc)).isEqualTo(Status.Code.FAILED_PRECONDITION);
      assertThat(next.http().transfers("bob")).isEqualTo(1);
      assertThat(next.http().transfers("dave")).isEqualTo(1);
    }
  }

  private Status.Code statusOf(GrpcCaller grpc) {
    try {
      finalAnswer(grpc);
      return Status.Code.OK;
    } catch (StatusRuntimeException e) {
      return e.getStatus().getCode();
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"AFTER_CLAIM", "AFTER_COMMIT"})
  void aServerFrozenPastItsLeaseIsTakenOverAndDoesNothingMoreWhenItWakes(PauseAt.Step step)
      throws Exception {
    try (ServiceProcess frozen = service("--pause-at=" + step);
        ServiceProcess other = service();
        GrpcCaller grpc = frozen.grpc()) {
      CompletableFuture<HttpResponse<String>> overHttp = send(frozen.http());
      CompletableFuture<ByteString> overGrpc = send(grpc);
      frozen.awaitPaused(2);
      frozen.freeze();

      assertOneTransferEachAndItsTrueAnswer(other);

      frozen.goOn(2);
      frozen.thaw();
      // Of the two promised answers, the better one: the other owner's outcome is there.
      assertThat(overHttp.get(20, TimeUnit.SECONDS).body())
          .isEqualTo(send(other.http()).get().body());
      assertThat(overGrpc.get(20, TimeUnit.SECONDS)).isEqualTo(finalAnswer(grpc));
      assertOneTransferEachAndItsTrueAnswer(other);
    }
  }

  @Test
  void withoutTheGuardAFrozenServersKeyIsHeldAndNothingRunsTwice() throws Exception {
    try (ServiceProcess frozen = service("--pause-at=after-claim", "--ledger-guard=false");
        ServiceProcess other = service("--ledger-guard=false")) {
      CompletableFuture<HttpResponse<String>> overHttp = send(frozen.http());
      frozen.awaitPaused(1);
      frozen.freeze();

      HttpResponse<String> held = finalAnswer(other.http());
      assertThat(held.statusCode()).isEqualTo(409);
      assertThat(held.body()).contains("outcome-unknown");
      assertThat(other.http().transfers("bob")).isZero();

      frozen.goOn(1);
      frozen.thaw();
      assertThat(overHttp.get(20, TimeUnit.SECONDS).statusCode()).isEqualTo(201);
      assertThat(other.http().transfers("bob")).isEqualTo(1);
    }
  }

  @Test
  void aRedisWithAofKilledAndRestartedReplaysWhatItAcknowledged() throws Exception {
    try (RedisProcess durable =
            RedisProcess.start("--appendonly", "yes", "--appendfsync", "always");
        // Without the guard, so that nothing but Redis can know the answers.
        ServiceProcess service = service(durable, "--ledger-guard=false");
        GrpcCaller grpc = service.grpc()) {
      HttpResponse<String> overHttp = send(service.http()).get();
      ByteString overGrpc = grpc.create(grpcOrder());
      assertThat(overHttp.statusCode()).isEqualTo(201);

      durable.kill();
      durable.restart();

      assertThat(finalAnswer(service.http()).body()).isEqualTo(overHttp.body());
      assertThat(finalAnswer(grpc)).isEqualTo(overGrpc);
      assertOneTransferEachAndItsTrueAnswer(service);
    }
  }

  @Test
  void aRedisThatForgetsEverythingMovesMoneyTwiceOnlyWithoutTheGuard() throws Exception {
    try (RedisProcess forgetful = RedisProcess.start();
        ServiceProcess guarded = service(forgetful);
        GrpcCaller grpc = guarded.grpc()) {
      HttpResponse<String> overHttp = send(guarded.http()).get();
      ByteString overGrpc = grpc.create(grpcOrder());

      forgetful.kill();
      forgetful.restart();

      // The ledger remembers whose the keys are, and nobody else gets their answers.
      assertThat(refusalOfAnotherOrder(guarded.http())).contains("key-reused");
      assertThat(refusalOfAnotherOrder(grpc)).isEqualTo(Status.Code.FAILED_PRECONDITION);
      assertThat(finalAnswer(guarded.http()).body()).isEqualTo(overHttp.body());
      assertThat(finalAnswer(grpc)).isEqualTo(overGrpc);
      assertOneTransferEachAndItsTrueAnswer(guarded);

      forgetful.kill();
      forgetful.restart();
      try (ServiceProcess unguarded = service(forgetful, "--ledger-guard=false")) {
        assertThat(finalAnswer(unguarded.http()).body()).isNotEqualTo(overHttp.body());
        assertThat(unguarded.http().transfers("bob")).isEqualTo(2);
      }
    }
  }

  private String refusalOfAnotherOrder(HttpCaller http) throws Exception {
    HttpResponse<String> answer = http.create("http-" + key, HttpCaller.order(8));
    while (answer.statusCode() == 503) {
      backOff();
      answer = http.create("http-" + key, HttpCaller.order(8));
    }
    assertThat(answer.statusCode()).isEqualTo(422);
    return answer.body();
  }

  private Status.Code refusalOfAnotherOrder(GrpcCaller grpc) {
    CreateTransferRequest another = grpcOrder().toBuilder().setToAccount("bob").build();
    return catchThrowableOfType(StatusRuntimeException.class, () -> grpc.create(another))
        .getStatus()
        .getCode();
  }

  @Test
  void theLedgerRecordsByteForByteWhatTheAdaptersStore() throws Exception {
    LedgerGuard guard = LedgerGuard.create(LedgerGuardSettings.defaults());
    try (ServiceProcess service = service();
        GrpcCaller grpc = service.grpc();
        IdempotencyStore store =
            RedisIdempotencyStore.builder().namespace("transfers").uri(redis.uri()).build();
        Connection connection = DriverManager.getConnection(ledger)) {
      assertThat(send(service.http()).get().statusCode()).isEqualTo(201);
      grpc.create(grpcOrder());

      for (String prefix : List.of("http-", "grpc-")) {
        IdempotencyKey used = new IdempotencyKey("", prefix + key);
        Outcome stored =
            ((StoredRecord.Completed) store.find(List.of(used)).get(0).orElseThrow()).outcome();
        assertThat(guard.find(connection, used).orElseThrow().outcome()).isEqualTo(stored);
      }
    }
  }

  @Test
  void aKeyUsedOverOneProtocolIsRefusedOverTheOther() throws Exception {
    try (ServiceProcess service = service();
        GrpcCaller grpc = service.grpc()) {
      HttpCaller http = service.http();
      assertThat(http.create("first-http-" + key, HttpCaller.order(1)).statusCode()).isEqualTo(201);
      grpc.create(GrpcCaller.order("first-grpc-" + key, 1));

      assertThat(http.create("first-grpc-" + key, HttpCaller.order(1)).statusCode()).isEqualTo(422);
      assertThat(
              catchThrowableOfType(
                      StatusRuntimeException.class,
                      () -> grpc.create(GrpcCaller.order("first-http-" + key, 1)))
                  .getStatus()
                  .getCode())
          .isEqualTo(Status.Code.FAILED_PRECONDITION);
      assertThat(http.transfers("bob")).isEqualTo(2);
    }
  }
}
