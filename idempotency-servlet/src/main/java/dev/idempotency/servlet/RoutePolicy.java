package dev.idempotency.servlet;

import dev.idempotency.InDoubtPolicy;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/**
 * What the filter does on one route. Immutable; each method with an argument gives a changed copy.
 *
 * <p>Defaults: the engine's TTL, lease and policy for doubtful ends; a key in flight is waited for
 * up to 10 s; requests and responses up to 1 MiB; endings by RFC 9110.
 */
public final class RoutePolicy {

  /** Default cap of a request body and of a kept response body, in bytes. */
  public static final int DEFAULT_MAX_BYTES = 1024 * 1024;

  /** How long a duplicate waits for the first request by default, where it is safe. */
  public static final Duration DEFAULT_MAX_WAIT = Duration.ofSeconds(10);

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
              Optional.empty(),
              DEFAULT_MAX_WAIT,
              DEFAULT_MAX_BYTES,
              OptionalInt.empty(),
              Endings.DEFAULT));

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

  private RoutePolicy keyUse(KeyUse use) {
    return with(draft -> draft.keyUse = use);
  }

  /** How long a record lives; must be longer than the lease. */
  public RoutePolicy ttl(Duration ttl) {
    return with(draft -> draft.ttl = Optional.of(ttl));
  }

  /**
   * How long the record of a refusal lives: a recorded answer with a status of 400 to 499. After
   * it, the key is fresh, and a retry runs. The default is the TTL.
   *
   * @param ttl longer than the lease; more than the TTL counts as that
   */
  public RoutePolicy refusalTtl(Duration ttl) {
    return with(draft -> draft.refusalTtl = Optional.of(ttl));
  }

  /** How long an ownership lasts unless renewed; 100 ms to 1 h. */
  public RoutePolicy lease(Duration lease) {
    return with(draft -> draft.lease = Optional.of(lease));
  }

  /** What an end in doubt does when no resolver knows. */
  public RoutePolicy inDoubt(InDoubtPolicy policy) {
    return with(draft -> draft.inDoubt = Optional.of(policy));
  }

  /** A key in flight is answered at once with 409. */
  public RoutePolicy rejectInFlight() {
    return with(draft -> draft.maxWait = Duration.ZERO);
  }

  /**
   * A key in flight is waited for, without holding a container thread; after that, 409. The
   * default, for {@link #DEFAULT_MAX_WAIT}: clients that lost their connection retry at once and
   * meet their own first attempt. The filter must be registered with {@code asyncSupported} and the
   * dispatcher types {@code REQUEST} and {@code ASYNC}; a request that does not support async is
   * answered with 409 at once.
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
    return with(draft -> draft.maxWait = maxWait);
  }

  /**
   * Largest request body; a larger one is refused with 413 before anything runs.
   *
   * @param bytes at least 0; that many can be held in memory for each request
   */
  public RoutePolicy maxRequestBytes(int bytes) {
    int checked = notNegative("maxRequestBytes", bytes);
    return with(draft -> draft.maxRequestBytes = checked);
  }

  /**
   * Largest response body that is kept for retries; of a larger one only the status is kept. The
   * default is {@value #DEFAULT_MAX_BYTES}, or what the engine's {@code maxOutcomeBytes} leaves if
   * that is less.
   *
   * @param bytes at least 0; that many can be held in memory for each request. With room for header
   *     fields it must fit the engine's {@code maxOutcomeBytes}, which is checked when the filter
   *     is built
   */
  public RoutePolicy maxResponseBytes(int bytes) {
    int checked = notNegative("maxResponseBytes", bytes);
    return with(draft -> draft.maxResponseBytes = OptionalInt.of(checked));
  }

  /**
   * Statuses that are the operation's result: they are kept and replayed.
   *
   * @param statuses 200 to 999; none that is named for another ending
   */
  public RoutePolicy recordStatuses(int... statuses) {
    return endings(endings -> endings.with(Ending.RECORDED, statuses));
  }

  /**
   * Statuses that say that nothing was executed: the key is free, also for a corrected request.
   *
   * @param statuses 200 to 999; none that is named for another ending
   */
  public RoutePolicy releaseStatuses(int... statuses) {
    return endings(endings -> endings.with(Ending.RELEASED, statuses));
  }

  /**
   * Statuses after which nobody knows whether the effect happened: a resolver decides, or {@link
   * #inDoubt}.
   *
   * @param statuses 200 to 999; none that is named for another ending
   */
  public RoutePolicy inDoubtStatuses(int... statuses) {
    return endings(endings -> endings.with(Ending.IN_DOUBT, statuses));
  }

  /**
   * Exceptions that mean that nothing was executed, such as Spring Security's {@code
   * AccessDeniedException}: the key is released, and the exception goes on to whoever answers it.
   * They count with their subclasses, and also as the cause of a {@code ServletException}.
   */
  @SafeVarargs
  public final RoutePolicy notExecuted(Class<? extends Throwable>... exceptions) {
    return notExecuted(Arrays.stream(exceptions).map(Class::getName).collect(Collectors.toSet()));
  }

  RoutePolicy notExecuted(Set<String> classNames) {
    return endings(endings -> endings.notExecuted(classNames));
  }

  /**
   * Whether a response with {@code Cache-Control: no-store} (RFC 9111, section 5.2.2.5), set behind
   * the filter, is kept whole and replayed; default false: of such a response the status is kept,
   * and a retry gets 409 {@code response-not-kept}.
   */
  public RoutePolicy keepNoStore(boolean keep) {
    return endings(endings -> endings.keepNoStore(keep));
  }

  private RoutePolicy endings(UnaryOperator<Endings> change) {
    Endings changed = change.apply(values.endings());
    return with(draft -> draft.endings = changed);
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

  private RoutePolicy with(Consumer<Draft> change) {
    Draft draft = new Draft(values);
    change.accept(draft);
    return new RoutePolicy(draft.values());
  }

  /** Settings that are being changed. */
  private static final class Draft {
    private KeyUse keyUse;
    private Optional<Duration> ttl;
    private Optional<Duration> refusalTtl;
    private Optional<Duration> lease;
    private Optional<InDoubtPolicy> inDoubt;
    private Duration maxWait;
    private int maxRequestBytes;
    private OptionalInt maxResponseBytes;
    private Endings endings;

    Draft(Values values) {
      keyUse = values.keyUse;
      ttl = values.ttl;
      refusalTtl = values.refusalTtl;
      lease = values.lease;
      inDoubt = values.inDoubt;
      maxWait = values.maxWait;
      maxRequestBytes = values.maxRequestBytes;
      maxResponseBytes = values.maxResponseBytes;
      endings = values.endings;
    }

    Values values() {
      return new Values(
          keyUse,
          ttl,
          refusalTtl,
          lease,
          inDoubt,
          maxWait,
          maxRequestBytes,
          maxResponseBytes,
          endings);
    }
  }

  /**
   * The settings of one route.
   *
   * @param refusalTtl empty for the TTL
   * @param maxWait zero to reject at once
   * @param maxResponseBytes empty for what fits
   */
  record Values(
      KeyUse keyUse,
      Optional<Duration> ttl,
      Optional<Duration> refusalTtl,
      Optional<Duration> lease,
      Optional<InDoubtPolicy> inDoubt,
      Duration maxWait,
      int maxRequestBytes,
      OptionalInt maxResponseBytes,
      Endings endings) {

    /** Room for status and header fields in an outcome, in bytes. */
    static final int HEAD_BYTES = 16 * 1024;

    /**
     * Largest response body that is held back.
     *
     * @param maxOutcomeBytes the engine's
     */
    int maxResponseBytes(int maxOutcomeBytes) {
      return maxResponseBytes.orElse(Math.min(DEFAULT_MAX_BYTES, maxOutcomeBytes));
    }
  }
}
