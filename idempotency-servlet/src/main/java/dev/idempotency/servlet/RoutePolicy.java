package dev.idempotency.servlet;

import dev.idempotency.InDoubtPolicy;
import java.time.Duration;
import java.util.Optional;

/**
 * What the filter does on one route. Immutable; each method with an argument gives a changed copy.
 *
 * <p>Defaults: the engine's TTL, lease and policy for doubtful ends; a key in flight is rejected
 * with 409; requests and responses up to 1 MiB.
 */
public final class RoutePolicy {

  /** Default cap of a request body and of a kept response body, in bytes. */
  public static final int DEFAULT_MAX_BYTES = 1024 * 1024;

  /** The strictest first. */
  enum KeyUse {
    REQUIRED,
    OPTIONAL,
    OFF
  }

  private static final RoutePolicy OPTIONAL =
      new RoutePolicy(
          new Values(
              KeyUse.OPTIONAL,
              Optional.empty(),
              Optional.empty(),
              Optional.empty(),
              Duration.ZERO,
              DEFAULT_MAX_BYTES,
              DEFAULT_MAX_BYTES));

  private final Values values;

  private RoutePolicy(Values values) {
    this.values = values;
  }

  /** A request without a key is refused with 400. */
  public static RoutePolicy required() {
    return OPTIONAL.keyUse(KeyUse.REQUIRED);
  }

  /** A request without a key runs unprotected; one with a key is protected. */
  public static RoutePolicy optional() {
    return OPTIONAL;
  }

  /** The filter does nothing, even if there is a key. */
  public static RoutePolicy off() {
    return OPTIONAL.keyUse(KeyUse.OFF);
  }

  RoutePolicy keyUse(KeyUse use) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            use, v.ttl, v.lease, v.inDoubt, v.maxWait, v.maxRequestBytes, v.maxResponseBytes));
  }

  /** How long a record lives; must be longer than the lease. */
  public RoutePolicy ttl(Duration ttl) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse,
            Optional.of(ttl),
            v.lease,
            v.inDoubt,
            v.maxWait,
            v.maxRequestBytes,
            v.maxResponseBytes));
  }

  /** How long an ownership lasts unless renewed; 100 ms to 1 h. */
  public RoutePolicy lease(Duration lease) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse,
            v.ttl,
            Optional.of(lease),
            v.inDoubt,
            v.maxWait,
            v.maxRequestBytes,
            v.maxResponseBytes));
  }

  /** What an end in doubt does when no resolver knows. */
  public RoutePolicy inDoubt(InDoubtPolicy policy) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse,
            v.ttl,
            v.lease,
            Optional.of(policy),
            v.maxWait,
            v.maxRequestBytes,
            v.maxResponseBytes));
  }

  /** A key in flight is answered at once with 409. The default. */
  public RoutePolicy rejectInFlight() {
    return waiting(Duration.ZERO);
  }

  /**
   * A key in flight is waited for, without holding a container thread; after that, 409. The filter
   * must be registered with {@code asyncSupported} and the dispatcher types {@code REQUEST} and
   * {@code ASYNC}; a request that does not support async is answered with 409 at once.
   *
   * @param maxWait above zero, at most one hour
   */
  public RoutePolicy waitInFlight(Duration maxWait) {
    if (maxWait.isZero() || maxWait.isNegative() || maxWait.compareTo(Duration.ofHours(1)) > 0) {
      throw new IllegalArgumentException(
          "maxWait must be above zero and at most 1h, but is "
              + maxWait
              + "; to answer at once use rejectInFlight()");
    }
    return waiting(maxWait);
  }

  private RoutePolicy waiting(Duration maxWait) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse, v.ttl, v.lease, v.inDoubt, maxWait, v.maxRequestBytes, v.maxResponseBytes));
  }

  /**
   * Largest request body; a larger one is refused with 413 before anything runs.
   *
   * @param bytes at least 0; that many can be held in memory for each request
   */
  public RoutePolicy maxRequestBytes(int bytes) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse,
            v.ttl,
            v.lease,
            v.inDoubt,
            v.maxWait,
            notNegative("maxRequestBytes", bytes),
            v.maxResponseBytes));
  }

  /**
   * Largest response body that is kept for retries; of a larger one only the status is kept, and
   * the engine's {@code maxOutcomeBytes} bounds it too.
   *
   * @param bytes at least 0; that many can be held in memory for each request
   */
  public RoutePolicy maxResponseBytes(int bytes) {
    Values v = values;
    return new RoutePolicy(
        new Values(
            v.keyUse,
            v.ttl,
            v.lease,
            v.inDoubt,
            v.maxWait,
            v.maxRequestBytes,
            notNegative("maxResponseBytes", bytes)));
  }

  private static int notNegative(String name, int bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException(name + " must be at least 0, but is " + bytes);
    }
    return bytes;
  }

  Values values() {
    return values;
  }

  /**
   * The settings of one route.
   *
   * @param maxWait zero to reject at once
   */
  record Values(
      KeyUse keyUse,
      Optional<Duration> ttl,
      Optional<Duration> lease,
      Optional<InDoubtPolicy> inDoubt,
      Duration maxWait,
      int maxRequestBytes,
      int maxResponseBytes) {}
}
