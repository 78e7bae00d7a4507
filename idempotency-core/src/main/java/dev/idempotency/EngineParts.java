package dev.idempotency;

import dev.idempotency.store.IdempotencyStore;
import java.time.Duration;

/**
 * What the parts of one engine share. Immutable.
 *
 * @param store the application's store, observed
 */
record EngineParts(
    IdempotencyStore store,
    IdempotencyConfig config,
    ListenerGuard listener,
    EngineThreads threads,
    StoreHealth health,
    Resolutions resolutions,
    Renewals renewals,
    Backlog backlog,
    Waiters waiters) {

  /** How long work may rest whose timer could not be set. */
  private static final Duration HEARTBEAT = Duration.ofSeconds(5);

  static EngineParts of(
      IdempotencyStore applicationStore, IdempotencyConfig config, EngineThreads threads) {
    StoreHealth health = new StoreHealth(config.timeSource());
    IdempotencyStore store = new ObservedStore(applicationStore, health);
    Renewals renewals = new Renewals(store, threads);
    Backlog backlog = new Backlog(threads, config.timeSource(), config.maxPending(), store::node);
    health.whenBack(renewals::retryNow);
    health.whenBack(backlog::retryNow);
    Waiters waiters =
        new Waiters(
            store,
            threads,
            config.sweepEvery(),
            new WaitingPlaces(config.maxWaiters(), config.maxWaitersPerScope()),
            config.maxWaitersPerKey());
    threads.every(
        HEARTBEAT,
        () -> {
          backlog.heartbeat();
          waiters.scheduleSweep();
        });
    return new EngineParts(
        store,
        config,
        new ListenerGuard(config.listener()),
        threads,
        health,
        new Resolutions(config.resolver()),
        renewals,
        backlog,
        waiters);
  }

  long now() {
    return config.timeSource().nanoTime();
  }
}
