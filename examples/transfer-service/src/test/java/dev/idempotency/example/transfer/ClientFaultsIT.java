package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.idempotency.client.BodySource;
import dev.idempotency.client.GrpcRetries;
import dev.idempotency.client.HttpResult;
import dev.idempotency.client.NotExecutedException;
import dev.idempotency.client.OutcomeUnknownException;
import dev.idempotency.client.RequestKey;
import dev.idempotency.client.RetryBudget;
import dev.idempotency.client.RetrySettings;
import dev.idempotency.client.RetryableRequest;
import dev.idempotency.client.RetryingHttpClient;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc.TransferServiceBlockingStub;
import dev.idempotency.testing.RedisProcess;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The client against the real service over a network that cuts, delays and answers 503, with Redis
 * and the service killed and restarted: every transfer once, and every call told the truth.
 */
class ClientFaultsIT {

  private static final int THREADS = 32;
  private static final String FULL = "2,000 transfers, 32 threads, 3 in 10 exchanges cut";
  private static final String TWICE = "executed more than once";

  @TempDir private Path folder;

  /** One transfer by its number, which is its amount; returns the id that the server gave it. */
  private interface Caller {
    String transfer(int number) throws Exception;
  }

  @Test
  @Timeout(120)
  void everyTransferRunsOnceAndEveryCallIsToldTheTruth() throws Exception {
    try (Bank bank = new Bank()) {
      bank.run(100, 1, bank.client());
      bank.assertEachOnce(100);
    }
  }

  @Test
  @Timeout(120)
  void theControlAPlainRetryLoopTransfersTwice() throws Exception {
    try (Bank bank = new Bank()) {
      bank.run(100, 0, bank.plainLoop());
      assertThat(bank.count().get(TWICE)).isPositive();
    }
  }

  @Test
  @Tag("soak")
  void twoThousandTransfersRunOnceEachAndAPlainLoopRunsManyTwice() throws Exception {
    Map<String, Long> ours;
    Map<String, Long> plain;
    try (Bank bank = new Bank()) {
      bank.run(2000, 6, bank.client());
      bank.assertEachOnce(2000);
      ours = bank.count();
    }
    try (Bank bank = new Bank()) {
      bank.run(2000, 6, bank.plainLoop());
      plain = bank.count();
      assertThat(plain.get(TWICE)).isPositive();
    }
    StringBuilder table =
        new StringBuilder("| " + FULL + " | this client | a plain retry loop |\n|---|---:|---:|\n");
    ours.forEach(
        (what, count) ->
            table.append(String.format("| %s | %,d | %,d |%n", what, count, plain.get(what))));
    System.out.println(table);
    Files.writeString(Path.of("target", "client-soak.md"), table);
  }

  /** The service, its Redis and its ledger, and two bad networks in front of it. */
  private final class Bank implements AutoCloseable {

    private final RedisProcess redis =
        RedisProcess.start("--appendonly", "yes", "--appendfsync", "always");
    private final LedgerProcess database = LedgerProcess.start();
    private final String ledger = database.newDatabase();
    private final ProcessBuilder.Redirect log =
        ProcessBuilder.Redirect.appendTo(folder.resolve(UUID.randomUUID() + ".log").toFile());
    private final AtomicInteger done = new AtomicInteger();
    private final AtomicInteger unknown = new AtomicInteger();
    private final AtomicInteger kills = new AtomicInteger();
    private final Map<Integer, String> told = new ConcurrentHashMap<>();
    private final List<AutoCloseable> clients = new ArrayList<>();
    private ServiceProcess service = startService();
    private final ClientProxy http = new ClientProxy(true, service.httpPort());
    private final ClientProxy grpc = new ClientProxy(false, service.grpcPort());

    Bank() throws IOException {}

    private ServiceProcess startService() throws IOException {
      return ServiceProcess.start(
          log,
          "--redis=" + redis.uri(),
          "--redis-timeout=300ms",
          "--ledger=" + ledger,
          "--accounts=" + SoakClients.accounts(),
          "--lease=1s",
          "--ledger-guard=true");
    }

    URI transfers() {
      return URI.create("http://127.0.0.1:" + http.port() + "/v1/transfers");
    }

    String order(int number) {
      int pair = number % SoakClients.CLIENTS;
      return HttpCaller.order(number).replace("alice", "from" + pair).replace("bob", "to" + pair);
    }

    /** Ours: every fourth transfer over gRPC. */
    Caller client() {
      RetrySettings settings =
          RetrySettings.builder()
              .deadline(Duration.ofSeconds(3))
              .attemptTimeout(Duration.ofSeconds(1))
              .baseDelay(Duration.ofMillis(20))
              .maxDelay(Duration.ofMillis(300))
              .maxAttempts(20)
              .budget(RetryBudget.tokens(1000, 1))
              .build();
      RetryingHttpClient overHttp = RetryingHttpClient.create(plain(), settings);
      ManagedChannel channel =
          NettyChannelBuilder.forAddress("127.0.0.1", grpc.port()).usePlaintext().build();
      clients.add(channel::shutdownNow);
      TransferServiceBlockingStub overGrpc =
          TransferServiceGrpc.newBlockingStub(
              ClientInterceptors.intercept(channel, GrpcRetries.create(settings)));
      return number -> {
        RequestKey key = RequestKey.random();
        boolean resuming = false;
        while (true) {
          try {
            return number % 4 == 0
                ? overGrpc(overGrpc, key, number, resuming)
                : overHttp(overHttp, key, number, resuming);
          } catch (OutcomeUnknownException e) {
            // As a caller would later, with nothing but the key.
            assertThat(e.key()).isEqualTo(key);
            unknown.incrementAndGet();
            resuming = true;
          } catch (NotExecutedException e) {
            assertThat(e.key()).isEqualTo(key);
          }
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
        }
      };
    }

    private String overHttp(RetryingHttpClient client, RequestKey key, int number, boolean resuming)
        throws Exception {
      RetryableRequest request =
          RetryableRequest.post(transfers(), BodySource.of(order(number)))
              .header("Content-Type", "application/json")
              .withKey(key);
      HttpResult<String> result =
          resuming
              ? client.resume(key, request, BodyHandlers.ofString())
              : client.send(request, BodyHandlers.ofString());
      assertThat(result.status()).as(result.body()).isEqualTo(201);
      return new ObjectMapper().readTree(result.body()).path("id").textValue();
    }

    private String overGrpc(
        TransferServiceBlockingStub stub, RequestKey key, int number, boolean resuming)
        throws IOException {
      TransferServiceBlockingStub keyed =
          resuming ? GrpcRetries.resume(stub, key) : GrpcRetries.withKey(stub, key);
      int pair = number % SoakClients.CLIENTS;
      try {
        return keyed
            .createTransfer(
                GrpcCaller.order("", number).toBuilder()
                    .setFromAccount("from" + pair)
                    .setToAccount("to" + pair)
                    .build())
            .getId();
      } catch (StatusRuntimeException e) {
        Optional<NotExecutedException> notExecuted = NotExecutedException.in(e);
        if (notExecuted.isPresent()) {
          throw notExecuted.get();
        }
        throw OutcomeUnknownException.in(e).orElseThrow(() -> e);
      }
    }

    /** What is written without thinking of keys: each attempt is an operation of its own. */
    Caller plainLoop() {
      HttpClient client = plain();
      return number -> {
        while (true) {
          HttpRequest request =
              HttpRequest.newBuilder(transfers())
                  .timeout(Duration.ofSeconds(1))
                  .header("Content-Type", "application/json")
                  .header("Idempotency-Key", UUID.randomUUID().toString())
                  .POST(BodyPublishers.ofString(order(number)))
                  .build();
          try {
            HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
            if (response.statusCode() == 201) {
              return new ObjectMapper().readTree(response.body()).path("id").textValue();
            }
          } catch (IOException e) {
            // Once more.
          }
          LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
        }
      };
    }

    private HttpClient plain() {
      return HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(1))
          .build();
    }

    /** Makes so many transfers; as they go on, Redis and the service are killed and restarted. */
    void run(int transfers, int faults, Caller caller) throws Exception {
      ExecutorService threads = Executors.newFixedThreadPool(THREADS);
      try {
        List<Future<?>> calls = new ArrayList<>();
        for (int number = 1; number <= transfers; number++) {
          int mine = number;
          calls.add(
              threads.submit(
                  () -> {
                    told.put(mine, caller.transfer(mine));
                    return done.incrementAndGet();
                  }));
        }
        for (int fault = 1; fault <= faults; fault++) {
          await(fault * transfers / (faults + 1), calls);
          http.burst(20);
          redis.kill();
          redis.restart();
          service.kill();
          kills.incrementAndGet();
          service = startService();
          http.moveTo(service.httpPort());
          grpc.moveTo(service.grpcPort());
        }
        for (Future<?> call : calls) {
          call.get();
        }
      } finally {
        threads.shutdownNow();
      }
    }

    private void await(int transfers, List<Future<?>> calls) throws Exception {
      while (done.get() < transfers) {
        for (Future<?> call : calls) {
          if (call.isDone()) {
            call.get();
          }
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
      }
    }

    void assertEachOnce(int transfers) throws Exception {
      Map<String, Long> counted = count();
      assertThat(counted)
          .as(counted.toString())
          .containsEntry("transfers asked for", (long) transfers)
          .containsEntry("executed", (long) transfers)
          .containsEntry(TWICE, 0L)
          .containsEntry("calls told another result than the ledger's", 0L)
          .containsEntry("money made or lost", 0L);
      assertThat(http.cuts.get() + grpc.cuts.get()).isPositive();
    }

    Map<String, Long> count() throws Exception {
      Map<Long, List<String>> ids = new LinkedHashMap<>();
      long sum;
      try (Connection connection = DriverManager.getConnection(ledger);
          Statement statement = connection.createStatement()) {
        try (ResultSet row = statement.executeQuery("SELECT amount, id FROM transfers")) {
          while (row.next()) {
            ids.computeIfAbsent(row.getLong(1), amount -> new ArrayList<>()).add(row.getString(2));
          }
        }
        try (ResultSet row = statement.executeQuery("SELECT SUM(balance) FROM accounts")) {
          row.next();
          sum = row.getLong(1);
        }
      }
      long wrong =
          told.entrySet().stream()
              .filter(
                  call ->
                      !ids.getOrDefault((long) call.getKey(), List.of()).contains(call.getValue()))
              .count();
      Map<String, Long> table = new LinkedHashMap<>();
      table.put("transfers asked for", (long) told.size());
      table.put("HTTP exchanges", (long) http.exchanges.get());
      table.put("connections cut", (long) (http.cuts.get() + grpc.cuts.get()));
      table.put("answered 503 by the network", (long) http.answered503.get());
      table.put("Redis and service killed and restarted", (long) kills.get());
      table.put("ends with OutcomeUnknownException, each resumed", (long) unknown.get());
      table.put("executed", (long) ids.values().stream().mapToInt(List::size).sum());
      table.put(TWICE, ids.values().stream().filter(each -> each.size() > 1).count());
      table.put("calls told another result than the ledger's", wrong);
      table.put("money made or lost", sum - SoakClients.CLIENTS * 1_000_000_000_000L);
      return table;
    }

    @Override
    public void close() throws Exception {
      for (AutoCloseable client : clients) {
        client.close();
      }
      http.close();
      grpc.close();
      service.close();
      database.close();
      redis.close();
    }
  }
}
