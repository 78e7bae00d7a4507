package dev.idempotency;

import dev.idempotency.store.IdempotencyStore;

/** What the parts of one engine share. Immutable. */
record EngineParts(
    IdempotencyStore store,
    IdempotencyConfig config,
    ListenerGuard listener,
    EngineThreads threads,
    Backlog backlog,
    Waiters waiters) {

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  static EngineParts of(IdempotencyStore store, IdempotencyConfig config, EngineThreads threads) {
    return new EngineParts(
        store,
        config,
        new ListenerGuard(config.listener()),
        threads,
        new Backlog(threads, config.timeSource(), config.maxPending()),
        new Waiters(store, threads, config.sweepEvery(), config.maxWaiters()));
  }

  long now() {
    return config.timeSource().nanoTime();
  }

  /** Asks the application's resolver; no resolver, or one that fails, does not know. */
  OutcomeResolver.Resolution resolve(OutcomeResolver.Unresolved unresolved) {
    if (config.resolver().isEmpty()) {
      return new OutcomeResolver.Resolution.Unknown();
    }
    try {
      return config.resolver().get().resolve(unresolved);
    } catch (RuntimeException e) {
      LOG.log(
          System.Logger.Level.WARNING,
          "the outcome resolver failed for " + unresolved.key() + "; taken as unknown",
          e);
      return new OutcomeResolver.Resolution.Unknown();
    }
  }
}
