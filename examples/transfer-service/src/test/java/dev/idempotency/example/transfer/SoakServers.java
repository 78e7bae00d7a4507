package dev.idempotency.example.transfer;

import dev.idempotency.testing.RedisProcess;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.LockSupport;

/** Two services on one Redis and one ledger, and what goes wrong with them. */
final class SoakServers implements AutoCloseable {

  static final Duration LEASE = Duration.ofSeconds(1);

  private static final int SERVERS = 2;

  /** What happens to them, one after the other. */
  enum Fault {
    SERVER_KILLED("servers killed (SIGKILL) and restarted"),
    SERVER_FROZEN("servers frozen (SIGSTOP) past their leases"),
    ONE_FROZEN_OTHER_KILLED("one server frozen while the other was killed"),
    REDIS_KILLED("Redis killed (SIGKILL) and restarted");

    final String title;

    Fault(String title) {
      this.title = title;
    }
  }

  /** One of the services, with its callers. */
  record Server(ServiceProcess process, HttpCaller http, GrpcCaller grpc) {}

  final Map<Fault, Integer> faults = new EnumMap<>(Fault.class);
  private final AtomicReferenceArray<Server> servers = new AtomicReferenceArray<>(SERVERS);
  private final RedisProcess redis;
  private final List<String> flags;
  private final Path log;
  private final Random random;

  SoakServers(RedisProcess redis, List<String> flags, Path log, Random random) throws Exception {
    this.redis = redis;
    this.flags = flags;
    this.log = log;
    this.random = random;
    for (int i = 0; i < SERVERS; i++) {
      start(i);
    }
  }

  private void start(int index) throws Exception {
    ServiceProcess process =
        ServiceProcess.start(
            ProcessBuilder.Redirect.appendTo(log.toFile()), flags.toArray(String[]::new));
    servers.set(index, new Server(process, process.http(), process.grpc()));
  }

  Server get(int index) {
    return servers.get(Math.floorMod(index, SERVERS));
  }

  /** Lets one thing go wrong, and repairs it. */
  void fault() throws Exception {
    Fault fault = Fault.values()[random.nextInt(Fault.values().length)];
    faults.merge(fault, 1, Integer::sum);
    int index = random.nextInt(SERVERS);
    switch (fault) {
      case SERVER_KILLED -> restart(index);
      case SERVER_FROZEN -> {
        get(index).process().freeze();
        LockSupport.parkNanos(2 * LEASE.toNanos() + random.nextInt(2_000_000_000));
        get(index).process().thaw();
      }
      case ONE_FROZEN_OTHER_KILLED -> {
        get(index).process().freeze();
        restart(1 - index);
        get(index).process().thaw();
      }
      case REDIS_KILLED -> restartRedis();
    }
  }

  /** Lets Redis die if that has not happened by chance. */
  void redisDiesAtLeastOnce() {
    if (faults.putIfAbsent(Fault.REDIS_KILLED, 1) == null) {
      restartRedis();
    }
  }

  private void restartRedis() {
    redis.kill();
    LockSupport.parkNanos(random.nextInt(1_000_000_000));
    redis.restart();
  }

  private void restart(int index) throws Exception {
    Server dead = get(index);
    dead.process().kill();
    dead.grpc().close();
    start(index);
  }

  /** How many lines of the services' logs hold a text. */
  long logged(String text) throws Exception {
    try (var lines = Files.lines(log)) {
      return lines.filter(line -> line.contains(text)).count();
    }
  }

  @Override
  public void close() {
    for (int i = 0; i < SERVERS; i++) {
      Server server = servers.get(i);
      if (server != null) {
        server.grpc().close();
        server.process().close();
      }
    }
  }
}
