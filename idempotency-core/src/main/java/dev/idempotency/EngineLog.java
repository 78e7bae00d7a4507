package dev.idempotency;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.StoreException;
import java.time.Duration;
import java.util.Locale;

/**
 * What operators read about single keys. Every line has the key's whole digest, which {@link
 * IdempotencyAdmin} and the stores know it by, and never the key. The logger's name is that of
 * {@link IdempotencyEngine}.
 */
final class EngineLog {

  private static final System.Logger LOG = System.getLogger(IdempotencyEngine.class.getName());

  private EngineLog() {}

  /**
   * Writes a line. What an application's logger throws, an {@link Error} too, ends nothing: the
   * line is what is lost then, and not the outcome, lease or wait that it is about.
   */
  static void log(System.Logger.Level level, String line, Object... arguments) {
    try {
      LOG.log(level, line, arguments);
    } catch (Throwable e) {
      // There is no other place to tell it.
    }
  }

  /** As {@link #log}, with what was thrown. */
  static void thrown(System.Logger.Level level, String line, Throwable thrown) {
    try {
      LOG.log(level, line, thrown);
    } catch (Throwable e) {
      // There is no other place to tell it.
    }
  }

  private static void warn(String line, Object... arguments) {
    log(System.Logger.Level.WARNING, line, arguments);
  }

  private static String seconds(Duration age) {
    return String.format(Locale.ROOT, "%.1f s", age.toMillis() / 1000.0);
  }

  /** A key whose owner is gone, and what is done about it. */
  static void abandoned(OutcomeResolver.Unresolved found, String resolution) {
    warn(
        "abandoned: key {0} (fence {1}, attempt {2}): its lease ended {3} ago without an outcome;"
            + " {4}",
        found.key().digestHex(),
        Long.toString(found.fence()),
        Integer.toString(found.attempt()),
        seconds(found.since()),
        resolution);
  }

  /** A caller gets no result although the key was executed, perhaps. */
  static void outcomeUnknown(IdempotencyKey key, long fence, Duration since) {
    warn(
        "outcome unknown: answered for key {0} (fence {1}, abandoned {2} ago); find out how it"
            + " ended and resolve it, else it is held until its TTL ends",
        key.digestHex(), Long.toString(fence), seconds(since));
  }

  static void inDoubt(Lease lease, InDoubtPolicy applied) {
    warn(
        "in doubt: key {0} (fence {1}, attempt {2}): its handler ended, and it is unknown whether"
            + " its effect happened; policy {3} applies",
        lease.key().digestHex(),
        Long.toString(lease.fence()),
        Integer.toString(lease.attempt()),
        applied);
  }

  static void holdNotStored(Lease lease, String why) {
    warn(
        "hold not stored: key {0} (fence {1}) is in doubt, but the store did not take it ({2});"
            + " callers are told in flight until its lease of {3} ends, then outcome unknown",
        lease.key().digestHex(), Long.toString(lease.fence()), why, seconds(lease.duration()));
  }

  static void fencedOff(Lease lease, boolean outcomeKnown) {
    warn(
        "fenced off: key {0} was taken over before its outcome (fence {1}) could be stored; {2}",
        lease.key().digestHex(),
        Long.toString(lease.fence()),
        outcomeKnown
            ? "its caller gets the outcome that is recorded"
            : "outcome unknown: the other owner has none yet");
  }

  static void restored(Lease lease) {
    warn(
        "restored: the record of key {0} (fence {1}) had vanished from the store before its outcome"
            + " came; check for eviction or a failover that lost writes",
        lease.key().digestHex(), Long.toString(lease.fence()));
  }

  static void unrecorded(Lease lease, StoreException cause) {
    warn(
        "unrecorded: the outcome of key {0} (fence {1}) could not be stored yet: {2}",
        lease.key().digestHex(), Long.toString(lease.fence()), String.valueOf(cause.getMessage()));
  }

  static void resultNotKept(Lease lease, int bytes) {
    warn(
        "result not kept: no memory to hold the outcome of key {0} (fence {1}, {2} bytes) until the"
            + " store is available; a tombstone is stored instead, so retries do not execute but"
            + " get no result. If this recurs, raise memory of IdempotencyConfig",
        lease.key().digestHex(), Long.toString(lease.fence()), Integer.toString(bytes));
  }

  static void late(Lease lease, Completion.Status status) {
    log(
        System.Logger.Level.INFO,
        "late: the outcome of key {0} is {1} now",
        lease.key().digestHex(),
        status);
  }

  static void outcomeLost(Lease lease) {
    log(
        System.Logger.Level.ERROR,
        "lost: the outcome of key {0} (fence {1}) was never stored; its callers are told outcome"
            + " unknown once its lease is over",
        lease.key().digestHex(),
        Long.toString(lease.fence()));
  }

  static void leaseLost(Lease lease, String how) {
    warn(
        "lease lost: the lease of key {0} (fence {1}) {2}; another may own the key while its"
            + " handler runs",
        lease.key().digestHex(), Long.toString(lease.fence()), how);
  }

  static void leaseRegained(Lease lease) {
    log(
        System.Logger.Level.INFO,
        "lease regained: key {0} (fence {1}) was not taken over meanwhile",
        lease.key().digestHex(),
        Long.toString(lease.fence()));
  }
}
