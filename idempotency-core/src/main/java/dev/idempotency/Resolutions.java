package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Asks the application's resolver on the calling thread. No resolver, or one that fails in any way,
 * does not know. Thread-safe.
 */
final class Resolutions {

  /** One ownership of a key: its end has one answer for everybody who asks meanwhile. */
  private record Ownership(IdempotencyKey key, long fence) {}

  /** A call to the resolver that others wait for. */
  private static final class Call {
    final Thread caller = Thread.currentThread();
    final CompletableFuture<OutcomeResolver.Resolution> answer = new CompletableFuture<>();
  }

  private final Optional<OutcomeResolver> resolver;
  private final ConcurrentHashMap<Ownership, Call> calls = new ConcurrentHashMap<>();

  Resolutions(Optional<OutcomeResolver> resolver) {
    this.resolver = resolver;
  }

  boolean isEmpty() {
    return resolver.isEmpty();
  }

  /**
   * How an abandoned execution ended. Who asks while another asks the same waits for that answer,
   * so that a herd makes one call.
   */
  OutcomeResolver.Resolution ofAbandoned(OutcomeResolver.Unresolved unresolved) {
    if (resolver.isEmpty()) {
      return new OutcomeResolver.Resolution.Unknown();
    }
    Ownership ownership = new Ownership(unresolved.key(), unresolved.fence());
    Call mine = new Call();
    Call first = calls.putIfAbsent(ownership, mine);
    if (first != null) {
      // A resolver that asks the engine for its own key would wait for itself.
      return first.caller == mine.caller
          ? new OutcomeResolver.Resolution.Unknown()
          : first.answer.join();
    }
    OutcomeResolver.Resolution answer = new OutcomeResolver.Resolution.Unknown();
    try {
      answer = ask(resolver.get(), unresolved);
    } finally {
      calls.remove(ownership, mine);
      mine.answer.complete(answer);
    }
    return answer;
  }

  /**
   * How an execution ended whose own handler does not know. Never shares another's call: that one
   * may have looked before this handler's effect.
   */
  OutcomeResolver.Resolution ofDoubtful(OutcomeResolver.Unresolved unresolved) {
    return resolver.isEmpty()
        ? new OutcomeResolver.Resolution.Unknown()
        : ask(resolver.get(), unresolved);
  }

  private static OutcomeResolver.Resolution ask(
      OutcomeResolver resolver, OutcomeResolver.Unresolved unresolved) {
    try {
      OutcomeResolver.Resolution answer = resolver.resolve(unresolved);
      if (answer != null) {
        return answer;
      }
      EngineLog.log(
          System.Logger.Level.WARNING, "the outcome resolver gave null; taken as unknown");
    } catch (Throwable e) {
      EngineLog.thrown(
          System.Logger.Level.WARNING,
          "the outcome resolver failed for key "
              + unresolved.key().digestHex()
              + "; taken as unknown",
          e);
    }
    return new OutcomeResolver.Resolution.Unknown();
  }
}
