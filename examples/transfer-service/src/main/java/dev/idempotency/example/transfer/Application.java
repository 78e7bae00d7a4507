package dev.idempotency.example.transfer;

import dev.idempotency.IdempotencyEngine;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Optional;

/** The parts of the service, started in order and stopped in the reverse one. */
final class Application {

  private static final Logger LOG = System.getLogger(Application.class.getName());

  private final Deque<Stop> stops = new ArrayDeque<>();
  private String readyLine = "";

  private Application() {}

  /** One part's way to stop. */
  @FunctionalInterface
  private interface Stop {
    void run() throws Exception;
  }

  /** Starts all parts; if one fails, stops those that run. */
  static Application start(Settings settings) throws Exception {
    Application application = new Application();
    try {
      application.startParts(settings);
      return application;
    } catch (Exception e) {
      application.stop();
      throw e;
    }
  }

  private void startParts(Settings settings) throws Exception {
    Ledger ledger = Ledger.open(settings.ledger(), settings.balances(), Settings.CURRENCY);
    stops.push(ledger::close);
    Optional<TransferGuard> guard =
        settings.ledgerGuard()
            ? Optional.of(TransferGuard.start(ledger, settings.ttl()))
            : Optional.empty();
    guard.ifPresent(started -> stops.push(started::close));
    KeyStore keys = KeyStore.open(settings.redis(), settings.redisTimeout());
    stops.push(keys::close);
    // One engine for both interfaces: a key names one operation, whichever way it comes.
    IdempotencyEngine engine = IdempotencyEngine.create(keys.store(), settings.idempotency(guard));
    stops.push(() -> storeOutcomes(engine));

    Transfers transfers =
        new Transfers(ledger, guard, settings.transferDelay(), settings.pauseAt());
    HttpEndpoint http =
        HttpEndpoint.start(
            settings.host(),
            settings.httpPort(),
            HttpIdempotency.filter(engine),
            transfers,
            ledger,
            settings.drain());
    stops.push(http::stop);
    GrpcEndpoint grpc =
        GrpcEndpoint.start(
            settings.host(),
            settings.grpcPort(),
            GrpcIdempotency.guard(engine, new TransferGrpc(transfers, ledger)));
    stops.push(() -> requireDrained(grpc.awaitTermination(settings.drain())));
    // Both interfaces refuse new requests before either is waited for.
    stops.push(http::refuseNew);
    stops.push(grpc::shutdown);
    readyLine = "ready http=" + http.port() + " grpc=" + grpc.port() + " redis=" + keys.address();
  }

  private static void storeOutcomes(IdempotencyEngine engine) {
    engine.close();
    if (engine.pendingWrites() > 0) {
      throw new IllegalStateException(
          engine.pendingWrites() + " outcomes could not be stored: Redis cannot be reached");
    }
  }

  private static void requireDrained(boolean drained) {
    if (!drained) {
      throw new IllegalStateException("gRPC calls still run");
    }
  }

  /** What the service prints when it serves. */
  String readyLine() {
    return readyLine;
  }

  /**
   * Stops accepting, finishes what runs, stores the outcomes, closes everything.
   *
   * @return false if something did not end in time, or failed
   */
  boolean stop() {
    boolean clean = true;
    while (!stops.isEmpty()) {
      try {
        stops.pop().run();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        clean = false;
      } catch (Exception e) {
        LOG.log(Level.ERROR, "a part of the service did not stop cleanly", e);
        clean = false;
      }
    }
    return clean;
  }
}
