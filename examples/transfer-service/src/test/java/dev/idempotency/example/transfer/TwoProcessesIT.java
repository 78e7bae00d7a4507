package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many callers, two processes, one Redis, one ledger: each key moves money once. */
class TwoProcessesIT {

  private static final int CALLERS = 64;
  private static final int KEYS = 200;
  private static final long OPENING = 10_000_000;

  @TempDir private static Path folder;
  private static EmbeddedRedis redis;
  private static final List<ServiceProcess> SERVICES = new ArrayList<>();

  /** Sends an order until the answer is a final one, and gives that back. */
  private interface Caller {
    Object finalAnswer(String key, long amount) throws Exception;
  }

  @BeforeAll
  static void start() throws Exception {
    redis = EmbeddedRedis.start();
    for (int i = 0; i < 2; i++) {
      SERVICES.add(
          ServiceProcess.start(
              "--redis=" + redis.uri(),
              "--redis-timeout=5s",
              "--ledger=jdbc:h2:" + folder.resolve("ledger") + ";AUTO_SERVER=TRUE",
              "--accounts=alice=" + OPENING + ",bob=0"));
    }
  }

  @AfterAll
  static void stop() {
    SERVICES.forEach(ServiceProcess::close);
    redis.close();
  }

  @Test
  void overHttpEachKeyMovesMoneyOnce() throws Exception {
    List<Caller> callers = new ArrayList<>();
    for (ServiceProcess service : SERVICES) {
      HttpCaller http = service.http();
      callers.add((key, amount) -> overHttp(http, key, amount));
    }
    assertEachKeyMovesMoneyOnce("http", callers);
  }

  private static Object overHttp(HttpCaller http, String key, long amount) throws Exception {
    HttpResponse<String> response = http.create(key, HttpCaller.order(amount));
    while (HttpCaller.isInFlight(response)) {
      backOff();
      response = http.create(key, HttpCaller.order(amount));
    }
    assertThat(response.statusCode()).as(response.body()).isEqualTo(201);
    return response.body() + response.headers().firstValue("Location").orElseThrow();
  }

  @Test
  void overGrpcEachKeyMovesMoneyOnce() throws Exception {
    List<Caller> callers = new ArrayList<>();
    List<GrpcCaller> channels = new ArrayList<>();
    for (ServiceProcess service : SERVICES) {
      GrpcCaller grpc = service.grpc();
      channels.add(grpc);
      callers.add((key, amount) -> overGrpc(grpc, key, amount));
    }
    assertEachKeyMovesMoneyOnce("grpc", callers);
    channels.forEach(GrpcCaller::close);
  }

  private static Object overGrpc(GrpcCaller grpc, String key, long amount) {
    while (true) {
      try {
        return grpc.create(GrpcCaller.order(key, amount));
      } catch (StatusRuntimeException e) {
        if (e.getStatus().getCode() != Status.Code.ABORTED) {
          throw e;
        }
        backOff();
      }
    }
  }

  /** What a client does between its tries; much shorter than the Retry-After that it is told. */
  private static void backOff() {
    LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
  }

  private static void assertEachKeyMovesMoneyOnce(String name, List<Caller> callers)
      throws Exception {
    HttpCaller first = SERVICES.get(0).http();
    long alice = first.balance("alice");
    long bob = first.balance("bob");
    int transfers = first.transfers("bob");
    CyclicBarrier together = new CyclicBarrier(CALLERS);
    ExecutorService threads = Executors.newFixedThreadPool(CALLERS);
    List<Future<List<Object>>> answers = new ArrayList<>();
    for (int i = 0; i < CALLERS; i++) {
      Caller caller = callers.get(i % callers.size());
      answers.add(
          threads.submit(
              () -> {
                List<Object> mine = new ArrayList<>();
                for (int key = 1; key <= KEYS; key++) {
                  together.await(60, TimeUnit.SECONDS);
                  mine.add(caller.finalAnswer(name + key, key));
                }
                return mine;
              }));
    }
    List<Set<Object>> answersByKey = new ArrayList<>();
    for (int key = 0; key < KEYS; key++) {
      answersByKey.add(new HashSet<>());
    }
    for (Future<List<Object>> answer : answers) {
      List<Object> mine = answer.get(120, TimeUnit.SECONDS);
      for (int key = 0; key < KEYS; key++) {
        answersByKey.get(key).add(mine.get(key));
      }
    }
    threads.shutdown();

    assertThat(answersByKey).allSatisfy(distinct -> assertThat(distinct).hasSize(1));
    long moved = KEYS * (KEYS + 1L) / 2;
    for (ServiceProcess service : SERVICES) {
      assertThat(service.http().balance("alice")).isEqualTo(alice - moved);
      assertThat(service.http().balance("bob")).isEqualTo(bob + moved);
      assertThat(service.http().transfers("bob")).isEqualTo(transfers + KEYS);
    }
  }
}
