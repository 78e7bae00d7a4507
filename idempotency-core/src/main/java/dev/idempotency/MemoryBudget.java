package dev.idempotency;

import java.util.EnumMap;
import java.util.Map;

/**
 * Bounds, in bytes, what callers can make this process hold: engine and adapters count in one place
 * what they keep of requests, results and waits.
 *
 * <p>Each {@link Kind} has a part of the whole, so that none takes the room of another. Within a
 * part, no scope holds more than a quarter, except by a single reservation, and an eighth is kept
 * free for reservations up to {@value #SMALL} bytes, so that small requests never compete with
 * large ones. The empty scope, in which all callers are one, has no share of its own.
 *
 * <p>What is counted is an estimate of the heap that is taken, a few hundred bytes of each request
 * apart. Engines of one process can share one. Thread-safe; blocks nobody.
 */
public final class MemoryBudget {

  /** Up to so many bytes a reservation may use what is kept free for small ones. */
  public static final int SMALL = 16 * 1024;

  private static final long MIN_BYTES = 1024 * 1024;
  private static final long MIN_OF_HEAP = 16 * MIN_BYTES;

  /** What is held. New kinds may come in minor versions. */
  public enum Kind {
    /** Bodies and messages of requests that are read or run; a quarter. */
    REQUESTS(8),
    /** Forms that a container has parsed; an eighth. */
    FORMS(4),
    /** Bodies and messages of requests that wait for their key; an eighth. */
    WAITS(4),
    /** Results until they are stored and sent; five sixteenths. */
    RESPONSES(10),
    /**
     * Results that found no room among {@link #RESPONSES}, until that they ran is stored and they
     * are sent, once; a sixteenth.
     */
    UNRECORDED(2),
    /** Outcomes that wait for the store, with their result; three thirty-seconds. */
    OUTCOMES(3),
    /** Outcomes that wait for the store without a result; a thirty-second. */
    TOMBSTONES(1);

    private final int parts;

    Kind(int parts) {
      this.parts = parts;
    }
  }

  /** Whether there was room. */
  public enum Grant {
    /** It is reserved. */
    GRANTED,
    /** The scope holds too much. Nothing is reserved. */
    SHARE_FULL,
    /** All scopes together hold too much, or the reservation is closed. Nothing is reserved. */
    FULL;

    /** Whether it is reserved. */
    public boolean isGranted() {
      return this == GRANTED;
    }
  }

  private final long bytes;
  private final Map<Kind, MemoryPool> pools = new EnumMap<>(Kind.class);

  private MemoryBudget(long bytes) {
    this.bytes = bytes;
    for (Kind kind : Kind.values()) {
      pools.put(kind, new MemoryPool(bytes / 32 * kind.parts));
    }
  }

  /** A quarter of the largest heap that this process may have, at least 16 MiB. */
  public static MemoryBudget ofHeap() {
    return new MemoryBudget(Math.max(MIN_OF_HEAP, Runtime.getRuntime().maxMemory() / 4));
  }

  /**
   * A budget of this size.
   *
   * @param bytes at least 1 MiB
   * @throws IllegalArgumentException if it is less
   */
  public static MemoryBudget of(long bytes) {
    if (bytes < MIN_BYTES) {
      throw new IllegalArgumentException(
          "a memory budget must have at least " + MIN_BYTES + " bytes, but is " + bytes);
    }
    return new MemoryBudget(bytes);
  }

  /** The bound of all kinds together, in bytes. */
  public long bytes() {
    return bytes;
  }

  /** The bound of one kind, in bytes. */
  public long bytes(Kind kind) {
    return pool(kind).bytes();
  }

  /** The most of a kind that one scope may hold, in bytes; of the empty scope {@link #bytes}. */
  public long share(Kind kind) {
    return pool(kind).share();
  }

  /** The largest reservation of a kind that can ever be had, in bytes. */
  public long largest(Kind kind) {
    return pool(kind).largest();
  }

  /** What is held now, in bytes. */
  public long held() {
    return pools.values().stream().mapToLong(MemoryPool::held).sum();
  }

  /** What is held of one kind now, in bytes. */
  public long held(Kind kind) {
    return pool(kind).held();
  }

  /**
   * An empty reservation. Whoever gets it closes it, in every end.
   *
   * @param scope of the caller, as in {@link dev.idempotency.store.IdempotencyKey#scope()}
   */
  public MemoryReservation reserve(Kind kind, String scope) {
    return new MemoryReservation(this, kind, scope);
  }

  MemoryPool pool(Kind kind) {
    MemoryPool pool = pools.get(kind);
    if (pool == null) {
      throw new IllegalStateException("no pool for " + kind);
    }
    return pool;
  }
}
