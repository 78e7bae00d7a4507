package dev.idempotency.example.transfer;

import dev.idempotency.example.transfer.SoakAnswer.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;

/**
 * Clients that send each key until its final answer, every fourth key over gRPC. The amount of a
 * transfer is the number of its key, so the ledger tells which key moved money.
 */
final class SoakClients {

  static final int CLIENTS = 16;

  /** A client's pause between two keys: the load is modest, the faults are not. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** A key without a final answer for so long is a finding. */
  private static final Duration PATIENCE = Duration.ofMinutes(1);

  final AtomicLong keys = new AtomicLong();
  final LongAdder contradictions = new LongAdder();
  final LongAdder givenUp = new LongAdder();
  final Map<Long, String> acknowledged = new ConcurrentHashMap<>();
  private final Map<Kind, LongAdder> answers = new EnumMap<>(Kind.class);
  private final ExecutorService threads = Executors.newFixedThreadPool(2 * CLIENTS);
  private final String run;
  private final SoakServers servers;

  SoakClients(String run, SoakServers servers) {
    this.run = run;
    this.servers = servers;
    for (Kind kind : Kind.values()) {
      answers.put(kind, new LongAdder());
    }
  }

  static String accounts() {
    List<String> accounts = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      accounts.add("from" + i + "=1000000000000");
      accounts.add("to" + i + "=0");
    }
    return String.join(",", accounts);
  }

  long count(Kind kind) {
    return answers.get(kind).sum();
  }

  long requests() {
    return answers.values().stream().mapToLong(LongAdder::sum).sum();
  }

  /** Starts them; they send until a time, and end with a final answer each. */
  List<Future<?>> start(long endNanos) {
    List<Future<?>> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      clients.add(
          threads.submit(
              () -> {
                while (System.nanoTime() - endNanos < 0) {
                  useOneKey(keys.incrementAndGet());
                  LockSupport.parkNanos(PAUSE_NANOS);
                }
              }));
    }
    return clients;
  }

  private void useOneKey(long key) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    int first = random.nextInt(2);
    CompletableFuture<?> hedge =
        random.nextInt(10) == 0
            ? CompletableFuture.runAsync(() -> send(first + 1, key), threads)
            : CompletableFuture.completedFuture(null);
    boolean succeeded = sendUntilFinal(first, key).succeeded();
    hedge.join();
    if (succeeded && random.nextInt(4) == 0) {
      sendUntilFinal(first + 1, key);
    }
  }

  private SoakAnswer sendUntilFinal(int first, long key) {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    for (int server = first; ; server++) {
      SoakAnswer answer = send(server, key);
      if (answer.isFinal()) {
        return answer;
      }
      if (System.nanoTime() - deadline > 0) {
        givenUp.increment();
        return answer;
      }
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(50));
    }
  }

  private SoakAnswer send(int server, long key) {
    SoakServers.Server target = servers.get(server);
    String name = run + key;
    long pair = key % CLIENTS;
    SoakAnswer answer =
        key % 4 == 0
            ? SoakAnswer.overGrpc(
                target.grpc(),
                GrpcCaller.order(name, key).toBuilder()
                    .setFromAccount("from" + pair)
                    .setToAccount("to" + pair)
                    .build())
            : SoakAnswer.overHttp(
                target.http(),
                name,
                HttpCaller.order(key).replace("alice", "from" + pair).replace("bob", "to" + pair));
    answers.get(answer.kind()).increment();
    if (answer.succeeded()) {
      String known = acknowledged.putIfAbsent(key, answer.result());
      if (known != null && !known.equals(answer.result())) {
        contradictions.increment();
      }
    }
    return answer;
  }

  /** Sends every acknowledged key once more; counts those that are not replayed as they were. */
  long notReplayed() throws Exception {
    LongAdder lost = new LongAdder();
    List<Future<?>> replays = new ArrayList<>();
    acknowledged.forEach(
        (key, result) ->
            replays.add(
                threads.submit(
                    () -> {
                      SoakAnswer answer = sendUntilFinal((int) (key % 2), key);
                      if (answer.kind() != Kind.REPLAYED || !answer.result().equals(result)) {
                        lost.increment();
                      }
                    })));
    for (Future<?> replay : replays) {
      replay.get();
    }
    threads.shutdown();
    return lost.sum();
  }
}
