package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A key in flight and those who wait for it, in the order in which they came.
 *
 * <p>At most one look at the key is under way or queued; hints that come meanwhile make one more.
 * Whoever takes a wait out of the set, and only he, answers it. Thread-safe.
 */
final class AwaitedKey {

  private final IdempotencyKey key;
  private final String digest;
  private final Claims claims;
  private final Waiters home;
  private final Set<Wait> waits = new LinkedHashSet<>();
  private boolean looking;
  private boolean lookAgain;
  private boolean retired;

  AwaitedKey(IdempotencyKey key, String digest, Claims claims, Waiters home) {
    this.key = key;
    this.digest = digest;
    this.claims = claims;
    this.home = home;
  }

  IdempotencyKey key() {
    return key;
  }

  String digest() {
    return digest;
  }

  /** How an attempt to wait here ended. */
  enum Join {
    JOINED,
    /** Too many wait for this key. */
    FULL,
    /** This one is out of use: make another. */
    RETIRED
  }

  /**
   * Waits here.
   *
   * @param places how many may wait
   */
  synchronized Join join(Wait wait, int places) {
    if (retired) {
      return Join.RETIRED;
    }
    if (waits.size() >= places) {
      return Join.FULL;
    }
    waits.add(wait);
    return Join.JOINED;
  }

  private boolean take(Wait wait) {
    synchronized (this) {
      if (!waits.remove(wait)) {
        return false;
      }
      retireIfUnused();
    }
    wait.cancelTimeout();
    home.left(this);
    return true;
  }

  private void retireIfUnused() {
    if (waits.isEmpty() && !looking) {
      retired = true;
      home.retire(this);
    }
  }

  /** Its result is there, or was cancelled. */
  void forget(Wait wait) {
    boolean unused = take(wait);
  }

  /** Its time is over. */
  void end(Wait wait) {
    if (take(wait)) {
      deliver(wait, claims.inFlight());
    }
  }

  void endAll() {
    waiting().forEach(wait -> EngineThreads.runSafely(() -> end(wait)));
  }

  private synchronized List<Wait> waiting() {
    return new ArrayList<>(waits);
  }

  /** What was hinted until now is about to be looked at. */
  private synchronized @Nullable Wait beginLook() {
    lookAgain = false;
    Iterator<Wait> all = waits.iterator();
    return all.hasNext() ? all.next() : null;
  }

  /** Has the key looked at, soon. */
  void hint() {
    synchronized (this) {
      lookAgain |= looking;
      if (retired || looking) {
        return;
      }
      looking = true;
    }
    queueLook();
  }

  private void queueLook() {
    try {
      home.queue(this);
    } catch (Throwable e) {
      // Else no hint would ever lead to a look again.
      synchronized (this) {
        looking = false;
      }
      throw e;
    }
  }

  /**
   * Claims the key for its first waiter; a resolver is asked on a thread for resolvers.
   *
   * @return whether the store answered
   */
  boolean look() {
    Wait first = beginLook();
    if (first == null) {
      endLook(false);
      return true;
    }
    Look look = safely(() -> claims.look(first.operation(), true));
    if (look instanceof Look.Unresolved unresolved) {
      Runnable ask =
          () -> settle(first, safely(() -> claims.resolve(first.operation(), unresolved)));
      if (!home.threads().run(EngineThreads.Work.RESOLVER, ask)) {
        endLook(false);
      }
      return true;
    }
    settle(first, look);
    return !(look instanceof Look.Failed);
  }

  private interface Looking {
    Look look();
  }

  /** Nothing that is thrown here has a request's thread to go to: its waiter fails closed. */
  private static Look safely(Looking looking) {
    try {
      return looking.look();
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.ERROR, "a look for a waiter failed", e);
      return new Look.Failed(
          new StoreException(
              StoreException.Reason.UNAVAILABLE,
              "looking for a waiter threw " + e.getClass().getName(),
              e));
    }
  }

  private void settle(Wait first, Look look) {
    boolean another = false;
    try {
      another = isToLookAgain(look);
      if (isForAll(look)) {
        waiting().forEach(wait -> answer(wait, look));
      } else {
        answer(first, look);
      }
    } catch (Throwable e) {
      EngineLog.thrown(System.Logger.Level.ERROR, "settling waiters failed", e);
    } finally {
      endLook(another);
    }
  }

  private static boolean isForAll(Look look) {
    return look instanceof Look.Found found
        ? !(found.record() instanceof StoredRecord.InFlight)
        : look instanceof Look.Failed failed && failed.isUnreadable();
  }

  /** A request that was refused for itself says nothing about the next. */
  private static boolean isToLookAgain(Look look) {
    return look instanceof Look.Decided decided
        ? !(decided.decision() instanceof Decision.Proceed)
        : look instanceof Look.Changed;
  }

  private void answer(Wait wait, Look look) {
    Decision decision = claims.decision(wait.operation(), look);
    if (decision instanceof Decision.InFlight) {
      return;
    }
    if (!take(wait)) {
      giveBack(decision);
      return;
    }
    try {
      deliver(wait, decision);
    } catch (Throwable e) {
      // Whoever completes the result first decides who has the key.
      if (wait.result().complete(claims.inFlight())) {
        giveBack(decision);
      }
      throw e;
    }
  }

  private void deliver(Wait wait, Decision decision) {
    boolean unused =
        home.threads()
            .run(
                EngineThreads.Work.DELIVERY,
                () -> {
                  claims.tell(wait.operation(), decision);
                  if (!wait.result().complete(decision)) {
                    giveBack(decision);
                  }
                });
  }

  /** The request that a key was claimed for does not want it any more. */
  private static void giveBack(Decision decision) {
    if (decision instanceof Decision.Proceed proceed
        && proceed.execution() instanceof ActiveExecution unused) {
      unused.cancel();
    }
  }

  private void endLook(boolean another) {
    synchronized (this) {
      looking = (another || lookAgain) && !waits.isEmpty();
      lookAgain = false;
      if (!looking) {
        retireIfUnused();
        return;
      }
    }
    queueLook();
  }
}
