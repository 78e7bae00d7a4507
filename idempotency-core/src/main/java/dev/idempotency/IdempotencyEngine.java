package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.KeySecrets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/**
 * Decides what becomes of a keyed request: run, replay, wait, refuse. The one place of policy; the
 * adapters translate its {@link Decision}s to HTTP and gRPC.
 *
 * <pre>{@code
 * Decision decision = engine.begin(Operation.of(key, fingerprint));
 * if (decision instanceof Decision.Proceed proceed) {
 *   Outcome outcome = handler.handle(request, proceed.execution().fence());
 *   proceed.execution().complete(outcome); // stored, then
 *   send(outcome);                         // sent
 * }
 * }</pre>
 *
 * <p>Thread-safe; one engine for each store in a process. Which thread runs what:
 *
 * <table>
 *   <caption>Threads; all of the engine's are daemons</caption>
 *   <tr><th>thread</th><th>runs</th></tr>
 *   <tr><td>the caller's</td><td>{@link #begin}, the first look of {@link #beginOrWait}, and the
 *       ending methods of {@link OwnedExecution}, each with its calls to the store, the resolver
 *       and the listener</td></tr>
 *   <tr><td>{@code idempotency-timer}, one</td><td>counts time; calls nothing that can
 *       block</td></tr>
 *   <tr><td>{@code idempotency-renewals}, up to 8</td><td>renewals of leases, nothing
 *       else</td></tr>
 *   <tr><td>{@code idempotency-writes}, up to 8</td><td>pending outcomes and releases, with the
 *       listener's {@code onLateCompletion} and {@code onOutcomeLost}</td></tr>
 *   <tr><td>{@code idempotency-waiters}, up to 8</td><td>sweeps, and claims for
 *       waiters</td></tr>
 *   <tr><td>{@code idempotency-resolver}, up to 8</td><td>the resolver, for waiters</td></tr>
 *   <tr><td>{@code idempotency-delivery}, up to 8</td><td>completes the futures of waiters: what is
 *       chained to them runs there, and {@code onDecision} of waiters</td></tr>
 *   <tr><td>{@code idempotency-events}, one</td><td>{@code onLeaseLost} of leases that end while
 *       their handler runs</td></tr>
 * </table>
 *
 * <p>A listener or a resolver that blocks holds up only what stands in its row.
 */
public final class IdempotencyEngine implements AutoCloseable {

  private final EngineParts parts;
  private final KeySecrets secrets;
  private final EngineGate gate = new EngineGate();
  private final Claims claims;

  private IdempotencyEngine(EngineParts parts) {
    this.parts = parts;
    this.secrets = parts.store().secrets();
    this.claims = new Claims(parts, gate);
    parts.store().onSettled(parts.waiters()::wake);
  }

  /**
   * An engine on a store. The engine does not close the store.
   *
   * @throws IllegalArgumentException if the store gives back no outcome as large as {@link
   *     IdempotencyConfig#maxOutcomeBytes()}
   */
  public static IdempotencyEngine create(IdempotencyStore store, IdempotencyConfig config) {
    return create(store, config, new EngineThreads());
  }

  static IdempotencyEngine create(
      IdempotencyStore store, IdempotencyConfig config, EngineThreads threads) {
    if (config.maxOutcomeBytes() > store.maxOutcomeBytes()) {
      throw new IllegalArgumentException(
          "maxOutcomeBytes of the engine must not be above that of the store, but "
              + config.maxOutcomeBytes()
              + " > "
              + store.maxOutcomeBytes()
              + "; raise that of the store");
    }
    return new IdempotencyEngine(EngineParts.of(store, config, threads));
  }

  /** The engine's settings. */
  public IdempotencyConfig config() {
    return parts.config();
  }

  /**
   * Decides at once. Never throws for a failing store: see {@link Decision.StoreUnavailable}.
   *
   * @throws IllegalArgumentException if the operation's lease and TTL do not fit together
   */
  public Decision begin(Operation operation) {
    Operation keyed = keyed(operation);
    return claims.tell(keyed, claims.decide(keyed, false));
  }

  /** From here on the operation is known by digests under the secrets of the store. */
  private Operation keyed(Operation operation) {
    IdempotencyKey key = secrets.keyed(operation.key(), config().timeSource().now());
    return operation.withKey(key, secrets.keyed(key, operation.fingerprint()));
  }

  /**
   * Decides, and waits for a key in flight without holding a thread.
   *
   * <p>Looks once on the caller's thread. If the first request still runs, the future is completed
   * later, in every case, on a thread of the engine: continue elsewhere ({@code thenAcceptAsync}
   * with an executor of your own). Cancelling it ends the wait; if the key was just claimed, it is
   * released. Requests that wait for one key get it in the order in which they came.
   *
   * @param atMost how long to wait, up to 365 days; then, when too many wait (in all, in this scope
   *     or for this key), or when the engine is closed, {@link Decision.InFlight}; at zero or below
   *     it does not wait
   * @throws IllegalArgumentException if the operation's lease and TTL do not fit together
   */
  public CompletableFuture<Decision> beginOrWait(Operation request, Duration atMost) {
    Operation operation = keyed(request);
    CompletableFuture<Decision> result = new CompletableFuture<>();
    Duration bounded =
        atMost.compareTo(IdempotencyConfig.LONGEST) < 0 ? atMost : IdempotencyConfig.LONGEST;
    if (bounded.isNegative()) {
      bounded = Duration.ZERO;
    }
    long begun = parts.now();
    Decision decision = claims.tell(operation, claims.decide(operation, true));
    Duration left = bounded.minusNanos(parts.now() - begun);
    boolean waits =
        decision instanceof Decision.InFlight
            && left.compareTo(Duration.ZERO) > 0
            && parts.waiters().await(new Wait(operation, result), claims, left);
    if (!waits) {
      result.complete(decision);
    }
    return result;
  }

  /** What operators can do with single keys. */
  public IdempotencyAdmin admin() {
    return new IdempotencyAdmin(parts);
  }

  /** Outcomes and releases that wait for the store: above zero means that it is, or was, down. */
  public int pendingWrites() {
    return parts.backlog().size();
  }

  /** Requests that wait for a key in flight. */
  public int waiters() {
    return parts.waiters().size();
  }

  boolean isClosed() {
    return gate.isClosed();
  }

  /**
   * Refuses new requests, ends all waits as in flight, waits for the claims that are just being
   * made, and goes on storing pending outcomes, for at most {@link
   * IdempotencyConfig#drainTimeout()} in all; what cannot be stored is told to the listener as
   * lost. Stop the server first: executions that still run can end, but their leases are not
   * renewed any more, and an outcome that the store does not take then is lost at once.
   */
  @Override
  public void close() {
    if (!gate.close()) {
      return;
    }
    EngineThreads.runSafely(parts.waiters()::close);
    EngineThreads.runSafely(parts.backlog()::beginDrain);
    long left = config().drainTimeout().toNanos();
    try {
      left = gate.awaitEmpty(left);
    } catch (InterruptedException e) {
      left = 0;
      Thread.currentThread().interrupt();
    } finally {
      long drained = left;
      EngineThreads.runSafely(() -> parts.backlog().drain(drained));
      parts.threads().close();
    }
  }
}
