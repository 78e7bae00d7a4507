package dev.idempotency.store.redis;

import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoreException.Reason;
import dev.idempotency.store.TimeSource;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.LongSupplier;

/**
 * Lets claims through only where the store was seen to work: a key must not be claimed, and its
 * request executed, where the outcome cannot be recorded.
 *
 * <p>A {@link DryRun} at the start, before each claim until one has passed, and after a claim when
 * connections were made since the last one, as behind a new connection there may be another server,
 * or the same user with other rights. Thread-safe.
 */
final class Readiness {

  private static final System.Logger LOG = System.getLogger(Readiness.class.getName());
  private static final int MOST_TRIES_FOR_A_NODE = 1_000;
  private static final long PROOF_NANOS = 1_000_000_000L;

  private final RedisCalls calls;
  private final DryRun dryRun;
  private final Function<byte[], String> nodeOf;
  private final LongSupplier connectionsMade;
  private final Function<Throwable, String> hint;
  private final TimeSource time = TimeSource.system();
  private volatile boolean proven;
  private volatile long provenConnections;
  private volatile long provenNanos;

  /**
   * Has not tried yet.
   *
   * @param connectionsMade how many there have been
   * @param hint what to check where a failure does not say it; may be empty
   */
  Readiness(
      RedisCalls calls,
      DryRun dryRun,
      Function<byte[], String> nodeOf,
      LongSupplier connectionsMade,
      Function<Throwable, String> hint) {
    this.calls = calls;
    this.dryRun = dryRun;
    this.nodeOf = nodeOf;
    this.connectionsMade = connectionsMade;
    this.hint = hint;
  }

  /**
   * Tries now, on each node. A Redis that cannot be reached, or cannot do it for now, passes with a
   * warning; claims are refused until it can.
   *
   * @throws IllegalStateException if it never will, as configured
   */
  void atStart() {
    try {
      Set<String> seen = new HashSet<>();
      // More often than there are nodes, so that each is met by a random key.
      for (int i = 0; i == 0 || (i < MOST_TRIES_FOR_A_NODE && !nodeOf(scratch()).isEmpty()); i++) {
        byte[] key = scratch();
        if (seen.add(nodeOf(key))) {
          prove(key);
        }
      }
    } catch (StoreException e) {
      if (e.getCause() instanceof Definite definite) {
        throw new IllegalStateException(definite.getMessage(), definite.getCause());
      }
      LOG.log(
          System.Logger.Level.WARNING,
          "Redis is not ready; claims are refused, and nothing is executed, until it is: "
              + e.getMessage()
              + hint.apply(e));
    }
  }

  private String nodeOf(byte[] key) {
    return nodeOf.apply(key);
  }

  /**
   * Tries, unless the store is known to work.
   *
   * @throws StoreException if it does not
   */
  void beforeClaim() {
    if (!proven) {
      prove(scratch());
    }
  }

  /**
   * Tries again if connections were made meanwhile. Only a refusal counts: that the network failed
   * says nothing about what Redis can do, and the claim was answered.
   *
   * @throws StoreException with {@code UNAVAILABLE}, as the claim stands, if Redis refuses
   */
  void afterClaim(byte[] redisKey) {
    long made = connectionsMade.getAsLong();
    boolean isNew = made != provenConnections && time.nanoTime() - provenNanos > PROOF_NANOS;
    if (!isNew) {
      return;
    }
    try {
      prove(redisKey);
    } catch (StoreException e) {
      if (e.getCause() instanceof Definite) {
        proven = false;
        throw new StoreException(Reason.UNAVAILABLE, String.valueOf(e.getMessage()), e.getCause());
      }
    }
  }

  /** Why a Redis cannot do the job. */
  private static final class Definite extends RuntimeException {

    private static final long serialVersionUID = 1L;

    Definite(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /** Tries on the node that has this key. */
  private void prove(byte[] redisKey) {
    long made = connectionsMade.getAsLong();
    calls.call(
        "dry run",
        () -> {
          // A key for each attempt: one whose reply was lost has left its marks, or will.
          dryRun(scratchNear(redisKey));
          return true;
        });
    proven = true;
    provenConnections = Math.max(made, connectionsMade.getAsLong());
    provenNanos = time.nanoTime();
  }

  private void dryRun(byte[] key) {
    try {
      dryRun.run(key);
    } catch (RuntimeException e) {
      Optional<String> reason = Unfit.reason(dryRun.jedis(), dryRun.keys(), e);
      if (reason.isPresent()) {
        Throwable cause = RedisErrors.cause(e);
        throw new StoreException(Reason.REFUSED, reason.get(), new Definite(reason.get(), cause));
      }
      if (e instanceof DryRun.Failed failed && failed.getCause() instanceof RuntimeException own) {
        throw own;
      }
      throw e;
    }
  }

  private byte[] scratch() {
    return dryRun.keys().redisKey(new IdempotencyKey("dry-run", UUID.randomUUID().toString()));
  }

  private byte[] scratchNear(byte[] redisKey) {
    String node = nodeOf(redisKey);
    byte[] key = scratch();
    for (int i = 0; i < MOST_TRIES_FOR_A_NODE && !nodeOf(key).equals(node); i++) {
      key = scratch();
    }
    return key;
  }
}
