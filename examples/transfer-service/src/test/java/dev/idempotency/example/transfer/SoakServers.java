package dev.idempotency.example.transfer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Two services on one Redis and one ledger, and what goes wrong with them. */
final class SoakServers implements AutoCloseable {

  static final Duration LEASE = Duration.ofSeconds(1);

  private static final int SERVERS = 2;

  /** One of the services, with its callers. */
  record Server(ServiceProcess process, HttpCaller http, GrpcCaller grpc) {}

  private final AtomicReferenceArray<Server> servers = new AtomicReferenceArray<>(SERVERS);
  private final List<String> flags;
  private final Path log;

  SoakServers(List<String> flags, Path log) throws Exception {
    this.flags = flags;
    this.log = log;
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

  SoakFaults faults(Duration pause, Random random) {
    return new SoakFaults(SoakFaults.Rhythm.RANDOM, pause, random)
        .add("servers killed (SIGKILL) and restarted", dice -> restart(dice.nextInt(SERVERS)))
        .add(
            "servers frozen (SIGSTOP) past their leases",
            dice -> {
              ServiceProcess frozen = get(dice.nextInt(SERVERS)).process();
              frozen.freeze();
              SoakFaults.pass(LEASE.multipliedBy(2).plusMillis(dice.nextInt(2_000)));
              frozen.thaw();
            })
        .add(
            "one server frozen while the other was killed",
            dice -> {
              int index = dice.nextInt(SERVERS);
              ServiceProcess frozen = get(index).process();
              frozen.freeze();
              // A start may wait for what the frozen one has locked in the database.
              FutureTask<Void> restart =
                  new FutureTask<>(
                      () -> {
                        restart(1 - index);
                        return null;
                      });
              new Thread(restart, "restart").start();
              SoakFaults.pass(LEASE.multipliedBy(2));
              frozen.thaw();
              restart.get();
            });
  }

  private void restart(int index) throws Exception {
    Server dead = get(index);
    dead.process().kill();
    dead.grpc().close();
    // While Sentinel or a cluster has no primary, a service does not start.
    for (int attempt = 1; ; attempt++) {
      try {
        start(index);
        return;
      } catch (IOException e) {
        if (attempt == 10) {
          throw e;
        }
      }
    }
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
