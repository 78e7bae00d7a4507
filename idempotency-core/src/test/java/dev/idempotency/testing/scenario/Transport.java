package dev.idempotency.testing.scenario;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** The driver of one way into the engine: starts a server with its adapter, and is its client. */
public interface Transport {

  /** The longest request that {@link Call.Route#SMALL} takes, in bytes. */
  int SMALL_REQUEST = 2_000;

  /** As the report of the tests names it. */
  @Override
  String toString();

  /** The column of the scenario table in {@code docs/http.md} that it stands in. */
  String column();

  /**
   * Starts a server on a free port.
   *
   * @param engine behind the adapter; closed by the caller
   * @param handler of every call that the adapter lets through
   */
  Server serve(IdempotencyEngine engine, Handler handler) throws Exception;

  /** What the application does. */
  @FunctionalInterface
  interface Handler {
    void handle(Work work) throws Exception;
  }

  /** A running server, with a client for it. */
  interface Server extends AutoCloseable {

    /** Sends a call. Cancelling the future makes the client go away. */
    CompletableFuture<Reply> send(Call call);

    /** What the adapter would store for a handler that answers this. */
    Outcome outcomeOf(byte[] result);

    /** The key of a call, with the scope of its caller. */
    IdempotencyKey keyOf(Call call);

    /** Why this way cannot play a scenario; empty if it can. */
    default Optional<String> cannot(Scenario scenario) {
      return Optional.empty();
    }

    @Override
    void close() throws Exception;
  }
}
