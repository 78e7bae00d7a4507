package dev.idempotency.grpc;

import dev.idempotency.Execution;
import dev.idempotency.IdempotencyEngine;
import io.grpc.BindableService;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Lets a retried call find the first one's result instead of running again.
 *
 * <pre>{@code
 * IdempotencyInterceptor idempotency =
 *     IdempotencyInterceptor.builder(engine).scope((call, headers) -> TENANT.get()).build();
 * server.addService(idempotency.intercept(new TransferService()));
 * }</pre>
 *
 * <p>The policy of a method stands in its .proto, see {@code idempotency/v1/policy.proto}. {@link
 * #intercept(ServerServiceDefinition)} validates it when the service is bound. Used as a plain
 * {@code ServerInterceptor} instead, it is resolved at a method's first call, and an invalid one
 * answers every call with INTERNAL, without running it.
 *
 * <p>Goes after authentication: the interceptor that is added first runs last. A call is answered
 * only after its outcome is stored. The claim blocks the thread that delivers the half-close,
 * unless that is an event loop of Netty, see {@link Builder#asynchronousClaims}. Thread-safe.
 */
public final class IdempotencyInterceptor implements ServerInterceptor {

  static final Context.Key<Execution> EXECUTION = Context.key("dev.idempotency.execution");

  /** Of what is waited for: "for ever" in seconds is more nanoseconds than a long holds. */
  static final Duration LONGEST = Duration.ofDays(365);

  /** Methods are few; descriptors made anew for every call must not pile up. */
  private static final int MAX_PLANS = 4096;

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  private final InterceptorSettings settings;
  private final MethodPlanner planner;
  private final ConcurrentHashMap<MethodDescriptor<?, ?>, Planned> plans =
      new ConcurrentHashMap<>();

  /** The plan of a method, none if it is passed by, or why there can be none. */
  private record Planned(
      Optional<MethodPlan<?>> plan, Optional<IllegalArgumentException> invalid) {}

  private IdempotencyInterceptor(InterceptorSettings settings, MethodPlanner planner) {
    this.settings = settings;
    this.planner = planner;
  }

  /** Starts an interceptor on an engine. It does not close the engine. */
  public static Builder builder(IdempotencyEngine engine) {
    return new Builder(engine);
  }

  /**
   * The execution of the call whose {@link Context} is current: for its fence and its keys for
   * calls to other services. Empty for a call without a key or policy. A handler must not end it.
   */
  public static Optional<Execution> currentExecution() {
    return Optional.ofNullable(EXECUTION.get());
  }

  /** As {@link #intercept(ServerServiceDefinition)}. */
  public ServerServiceDefinition intercept(BindableService service) {
    return intercept(service.bindService());
  }

  /**
   * The service behind this interceptor, with the policies of all its methods validated.
   *
   * @throws IllegalArgumentException if one is invalid; names the method and the setting or field
   */
  public ServerServiceDefinition intercept(ServerServiceDefinition service) {
    for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
      Planned planned = planned(method.getMethodDescriptor());
      if (planned.invalid().isPresent()) {
        throw planned.invalid().get();
      }
    }
    for (String name : planner.overrides().keySet()) {
      boolean ofService =
          service
              .getServiceDescriptor()
              .getName()
              .equals(MethodDescriptor.extractFullServiceName(name));
      if (ofService && service.getMethod(name) == null) {
        throw new IllegalArgumentException(
            "policy for " + name + ": the service has no such method");
      }
    }
    return ServerInterceptors.intercept(service, this);
  }

  @Override
  public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
      ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
    Planned planned = planned(call.getMethodDescriptor());
    if (planned.invalid().isPresent()) {
      OwnAnswer answer = OwnAnswer.misconfigured(call.getMethodDescriptor().getFullMethodName());
      call.close(answer.status(), answer.trailers());
      return new ServerCall.Listener<>() {};
    }
    if (planned.plan().isEmpty()) {
      return next.startCall(call, headers);
    }
    // Made from this very descriptor, so for its type of request.
    @SuppressWarnings("unchecked")
    MethodPlan<ReqT> plan = (MethodPlan<ReqT>) planned.plan().get();
    // Two, so that a second message of a unary call is noticed.
    call.request(2);
    return new KeyedCallListener<>(settings, plan, call, headers, next);
  }

  private Planned planned(MethodDescriptor<?, ?> method) {
    @Nullable Planned known = plans.get(method);
    if (known != null) {
      return known;
    }
    Planned planned;
    try {
      planned = new Planned(planner.plan(method).map(plan -> plan), Optional.empty());
    } catch (IllegalArgumentException e) {
      LOG.log(System.Logger.Level.ERROR, "invalid idempotency policy", e);
      planned = new Planned(Optional.empty(), Optional.of(e));
    }
    if (plans.size() < MAX_PLANS) {
      plans.put(method, planned);
    }
    return planned;
  }

  /** Collects settings; each setter states its default. Not thread-safe. */
  public static final class Builder {

    private final IdempotencyEngine engine;
    private final Map<String, MethodSettings> policies = new HashMap<>();
    private CallScope scope = CallScope.none();
    private @Nullable Executor executor;
    private @Nullable Executor handlerExecutor;
    private Duration maxWait = Duration.ofSeconds(30);
    private Duration limitAfterCancel = Duration.ofMinutes(10);
    private @Nullable Duration shieldLimit;
    private boolean refuseUnknownFields;
    private boolean asynchronousClaims;
    private Status.Code inFlightCode = Status.Code.ABORTED;
    private @Nullable Set<String> replayedHeaders;

    private Builder(IdempotencyEngine engine) {
      this.engine = engine;
    }

    /**
     * Overrides settings of one method; default none.
     *
     * @param fullMethodName such as {@code transfer.v1.TransferService/CreateTransfer}
     */
    public Builder policy(String fullMethodName, MethodSettings settings) {
      policies.put(fullMethodName, settings);
      return this;
    }

    /**
     * Names the caller; default {@link CallScope#none()}, with keys bound to the value of the
     * {@code authorization} metadata. Set it where credentials are renewed between retries.
     */
    public Builder scope(CallScope callScope) {
      this.scope = callScope;
      return this;
    }

    /**
     * Runs the write of an outcome and the answer after it: handlers may close a call on an event
     * loop. Default a pool of 16 daemon threads. One that rejects makes the handler's thread write.
     */
    public Builder executor(Executor storing) {
      this.executor = storing;
      return this;
    }

    /**
     * Runs the handlers of calls that had to wait for their key; default a pool of 64 daemon
     * threads. Give it the server's executor to have all handlers in one place.
     */
    public Builder handlerExecutor(Executor handlers) {
      this.handlerExecutor = handlers;
      return this;
    }

    /**
     * The longest wait for a key in flight where the policy does not say; default 30 s; above zero,
     * at most 365 days. A call's own deadline makes it shorter.
     */
    public Builder maxWait(Duration duration) {
      this.maxWait = positive("maxWait", duration);
      return this;
    }

    /**
     * The code of the answer to a call whose wait for a key in flight is over, or not wanted;
     * default ABORTED. With UNAVAILABLE the clients' usual retry policies try again by themselves.
     *
     * @throws IllegalArgumentException for OK
     */
    public Builder inFlightCode(Status.Code code) {
      if (code == Status.Code.OK) {
        throw new IllegalArgumentException(
            "inFlightCode must be the code of an error, but is OK; nothing has ended yet");
      }
      this.inFlightCode = code;
      return this;
    }

    /**
     * How long a handler may still close a call whose client has gone; then it ends in doubt.
     * Default 10 min; above zero, at most 365 days.
     */
    public Builder limitAfterCancel(Duration duration) {
      this.limitAfterCancel = positive("limitAfterCancel", duration);
      return this;
    }

    /**
     * Keeps from handlers that their client has gone or that its deadline has passed; default off.
     * Their {@link Context} has the same values, but its only deadline is the limit, and their call
     * is not cancelled. A handler that has not closed the call within the limit is cancelled, and
     * the key is in doubt; {@link #limitAfterCancel} does not count then.
     *
     * @param executionLimit from the handler's start; above zero, at most 365 days
     */
    public Builder shieldFromCancellation(Duration executionLimit) {
      this.shieldLimit = positive("executionLimit", executionLimit);
      return this;
    }

    /**
     * Whether requests with fields that the schema does not know are refused with INVALID_ARGUMENT,
     * where the program does not say otherwise for a method; default false. Left in, they are part
     * of the fingerprint.
     */
    public Builder refuseUnknownFields(boolean refuse) {
      this.refuseUnknownFields = refuse;
      return this;
    }

    /**
     * Whether claims are made, and handlers started, on {@link #handlerExecutor} instead of the
     * call's thread; default false. Calls that arrive on an event loop of Netty are treated so
     * anyway; set it for servers that run calls on an event loop of another kind.
     */
    public Builder asynchronousClaims(boolean asynchronous) {
      this.asynchronousClaims = asynchronous;
      return this;
    }

    /**
     * Which headers and trailers of a handler are stored and replayed; default all of the
     * application's own. Never stored: {@code grpc-*} other than {@code grpc-status-details-bin},
     * which always is, {@code content-type}, credentials and cookies.
     *
     * @throws IllegalArgumentException for a name that is never stored
     */
    public Builder replayedHeaders(Collection<String> names) {
      Set<String> lowerCase = new TreeSet<>();
      for (String name : names) {
        if (!ReplayableMetadata.mayBeKept(name.toLowerCase(Locale.ROOT))) {
          throw new IllegalArgumentException(
              "header " + name + " belongs to one transport or session; it cannot be replayed");
        }
        lowerCase.add(name.toLowerCase(Locale.ROOT));
      }
      this.replayedHeaders = lowerCase;
      return this;
    }

    /** The interceptor. */
    public IdempotencyInterceptor build() {
      Executor storing =
          executor != null ? executor : CallThreads.pool("idempotency-grpc-store", 16);
      Executor handlers =
          handlerExecutor != null
              ? handlerExecutor
              : CallThreads.pool("idempotency-grpc-handler", 64);
      MethodSettings defaults =
          MethodSettings.builder()
              .maxWait(maxWait)
              .refuseUnknownFields(refuseUnknownFields)
              .build();
      return new IdempotencyInterceptor(
          new InterceptorSettings(
              engine,
              scope,
              new AnswerCodec(
                  new ReplayableMetadata(Optional.ofNullable(replayedHeaders).map(Set::copyOf))),
              new CallThreads(storing, handlers),
              asynchronousClaims,
              inFlightCode,
              limitAfterCancel,
              Optional.ofNullable(shieldLimit).map(HandlerShield::of)),
          new MethodPlanner(Map.copyOf(policies), defaults, engine.config()));
    }

    private static Duration positive(String name, Duration duration) {
      if (duration.isZero() || duration.isNegative() || duration.compareTo(LONGEST) > 0) {
        throw new IllegalArgumentException(
            name + " must be above zero and at most 365 days, but is " + duration);
      }
      return duration;
    }
  }
}
