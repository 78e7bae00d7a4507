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
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Lets a retried call find the first one's result instead of running again.
 *
 * <pre>{@code
 * IdempotencyInterceptor idempotency =
 *     IdempotencyInterceptor.builder(engine).scopeByContext(TENANT).build();
 * server.addService(idempotency.intercept(new TransferService()));
 * }</pre>
 *
 * <p>The policy of a method stands in its .proto, see {@code idempotency/v1/policy.proto}. {@link
 * #intercept(ServerServiceDefinition)} validates it when the service is bound. Used as a plain
 * {@code ServerInterceptor} instead, as by containers that bind services themselves, it is resolved
 * at a method's first call, and an invalid one answers every call with INTERNAL, without running
 * it: call {@link #validate} when the services are known.
 *
 * <p>Goes after authentication: the interceptor that is added first runs last. A call is answered
 * only after its outcome is stored. The claim blocks the thread that delivers the half-close,
 * unless that is an event loop of Netty, see {@link Builder#asynchronousClaims}. Applied twice to
 * one call, the inner one does nothing. Thread-safe.
 */
public final class IdempotencyInterceptor implements ServerInterceptor {

  /**
   * The default {@code domain} of the {@code ErrorInfo} in the interceptor's own answers. A name
   * that nobody can register.
   */
  public static final String ERROR_DOMAIN = "idempotency-key";

  static final Context.Key<Execution> EXECUTION = Context.key("dev.idempotency.execution");

  /** The full name of the method that an interceptor guards. */
  static final Context.Key<String> GUARDED = Context.key("dev.idempotency.guarded");

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
   * calls to other services. Empty for a call without a key or policy. It cannot be ended by a
   * handler: how the call is closed ends it.
   */
  public static Optional<Execution> currentExecution() {
    return Optional.ofNullable(EXECUTION.get());
  }

  /** As {@link #intercept(ServerServiceDefinition)}. */
  public ServerServiceDefinition intercept(BindableService service) {
    ServerServiceDefinition definition = service.bindService();
    settings.coroutines().note(service, definition);
    return intercept(definition);
  }

  /**
   * The service behind this interceptor, with the policies of all its methods validated.
   *
   * @throws IllegalArgumentException if one is invalid; names the method and the setting or field
   */
  public ServerServiceDefinition intercept(ServerServiceDefinition service) {
    List<String> invalid = invalid(service);
    if (!invalid.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", invalid));
    }
    settings.coroutines().note(service, service);
    return ServerInterceptors.intercept(service, this);
  }

  /**
   * Checks the policies of all methods of a server, for containers that bind services themselves:
   * {@code idempotency.validate(server.getServices())}.
   *
   * @throws IllegalArgumentException if policies are invalid, or the program has one for a method
   *     that none of the services has; names each method and the setting or field
   */
  public void validate(Collection<ServerServiceDefinition> services) {
    Set<String> problems = new TreeSet<>();
    Set<String> methods = new HashSet<>();
    for (ServerServiceDefinition service : services) {
      problems.addAll(invalid(service));
      service
          .getMethods()
          .forEach(method -> methods.add(method.getMethodDescriptor().getFullMethodName()));
    }
    for (String name : planner.overrides().keySet()) {
      if (!methods.contains(name)) {
        problems.add("policy for " + name + ": no service has such a method");
      }
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", problems));
    }
  }

  private List<String> invalid(ServerServiceDefinition service) {
    List<String> problems = new ArrayList<>();
    for (ServerMethodDefinition<?, ?> method : service.getMethods()) {
      planned(method.getMethodDescriptor())
          .invalid()
          .map(IllegalArgumentException::getMessage)
          .ifPresent(problems::add);
    }
    for (String name : planner.overrides().keySet()) {
      boolean ofService =
          service
              .getServiceDescriptor()
              .getName()
              .equals(MethodDescriptor.extractFullServiceName(name));
      if (ofService && service.getMethod(name) == null) {
        problems.add("policy for " + name + ": the service has no such method");
      }
    }
    return problems;
  }

  @Override
  public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
      ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
    if (call.getMethodDescriptor().getFullMethodName().equals(GUARDED.get())) {
      // Applied twice: the inner one would wait for the outer one's key.
      return next.startCall(call, headers);
    }
    Planned planned = planned(call.getMethodDescriptor());
    if (planned.invalid().isPresent()) {
      OwnAnswer.misconfigured(call.getMethodDescriptor().getFullMethodName())
          .close(call, settings.errorDomain());
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
    private @Nullable CallerScope scope;
    private @Nullable Executor executor;
    private @Nullable Function<ServerCall<?, ?>, Executor> handlerExecutor;
    private Duration patience = CallThreads.DEFAULT_PATIENCE;
    private ExceptionMapper exceptions = ExceptionMapper.none();
    private String errorDomain = ERROR_DOMAIN;
    private Duration maxWait = Duration.ofSeconds(30);
    private Duration limitAfterCancel = Duration.ofMinutes(10);
    private @Nullable Duration shieldLimit;
    private boolean refuseUnknownFields;
    private boolean asynchronousClaims;
    private Status.Code inFlightCode = Status.Code.ABORTED;
    private @Nullable Set<String> replayedHeaders;
    private @Nullable AdmissionHook admission;
    private @Nullable ReplayPermission mayReplay;

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
     * Callers are told apart by what a function says of their call: a tenant, the subject of a
     * token, the name in a certificate. Which of {@code scope}, {@link #scopeByContext}, {@link
     * #scopeByMetadata} and {@link #oneScopeForAllCallers} is right must be said: none is the
     * default.
     */
    public Builder scope(CallScope callScope) {
      this.scope = CallerScope.by(callScope);
      return this;
    }

    /**
     * Callers are told apart by a value that an authentication interceptor has put into the call's
     * {@link Context}. Callers for whom it has put none share a scope of their own.
     */
    public Builder scopeByContext(Context.Key<String> key) {
      this.scope = CallerScope.byContext(key);
      return this;
    }

    /**
     * Callers are told apart by the value of a metadata entry, such as an API key or a tenant that
     * a gateway sets. The value must be the same in every retry: a token that is renewed, or a
     * signature, is no identity. Callers without the entry share a scope of their own; a call that
     * has it more than once is refused with INVALID_ARGUMENT.
     *
     * @throws IllegalArgumentException if it is not a name of ASCII metadata
     */
    public Builder scopeByMetadata(String name) {
      this.scope = CallerScope.byMetadata(name);
      return this;
    }

    /**
     * All callers share one scope: who knows another's key gets its answer. For services with one
     * caller, and where keys cannot be guessed.
     */
    public Builder oneScopeForAllCallers() {
      this.scope = CallerScope.ofAllCallers();
      return this;
    }

    /** Decides which calls with a key are admitted at all; default all of them. */
    public Builder admission(AdmissionHook hook) {
      this.admission = hook;
      return this;
    }

    /**
     * Decides, before a stored answer is replayed, whether this caller may see it now; default
     * every caller whose call is the same as the first one.
     */
    public Builder mayReplay(ReplayPermission permission) {
      this.mayReplay = permission;
      return this;
    }

    /**
     * Runs the write of an outcome and the answer after it: handlers may close a call on an event
     * loop. Default a pool of 16 daemon threads. A write that it rejects, or does not begin within
     * 30 s, is made on another thread.
     */
    public Builder executor(Executor storing) {
      this.executor = storing;
      return this;
    }

    /**
     * Runs the handlers of calls whose claim was not made on the call's own thread: those that had
     * to wait for their key, and those that arrive on an event loop. By default they go back to
     * that event loop, or to the executor of their request in Armeria; else to daemon threads
     * without a bound, as gRPC's own default executor has them. Give it the server's executor to
     * have all handlers in one place. A call whose handler it rejects, or does not begin within 30
     * s, is answered UNAVAILABLE, and its key is free.
     */
    public Builder handlerExecutor(Executor handlers) {
      return handlerExecutorOf(call -> handlers);
    }

    /**
     * As {@link #handlerExecutor}, for servers that run each call on an executor of its own.
     *
     * @param handlers is asked on the thread that delivers the half-close, for every keyed call
     */
    public Builder handlerExecutorOf(Function<ServerCall<?, ?>, Executor> handlers) {
      this.handlerExecutor = handlers;
      return this;
    }

    /** For tests: how long a task may wait for an executor of others. */
    Builder patience(Duration duration) {
      this.patience = duration;
      return this;
    }

    /**
     * Says which exceptions of handlers stand for a status; default {@link ExceptionMapper#none}.
     * Needed where an interceptor or container in front of this one makes a status of exceptions:
     * the client acts on that status, and the key must too.
     */
    public Builder exceptionMapper(ExceptionMapper mapper) {
      this.exceptions = mapper;
      return this;
    }

    /**
     * The {@code domain} of the {@code ErrorInfo} in the interceptor's own answers; default {@link
     * #ERROR_DOMAIN}. Set it to the name of your service, and to the same in the client.
     *
     * @throws IllegalArgumentException if it is blank
     */
    public Builder errorDomain(String domain) {
      if (domain.isBlank()) {
        throw new IllegalArgumentException("errorDomain must not be blank");
      }
      this.errorDomain = domain;
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
     * Keeps from handlers that their client has gone or that its deadline has passed; default off,
     * but on for coroutines of grpc-kotlin, which end where they stand when their call is
     * cancelled: their limit is {@link #limitAfterCancel}, and begins when the client has gone.
     * They are recognised in services given to {@link
     * IdempotencyInterceptor#intercept(BindableService)}, and where no other interceptor is
     * between. Their {@link Context} has the same values, but its only deadline is the limit, and
     * their call is not cancelled. A handler that has not closed the call within the limit is
     * cancelled, and the key is in doubt; {@link #limitAfterCancel} does not count then.
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
     * Whether claims are made on threads of the interceptor, and handlers started on {@link
     * #handlerExecutor}, instead of the call's thread; default false. Calls that arrive on an event
     * loop of Netty are treated so anyway; set it for servers that run calls on an event loop of
     * another kind.
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

    /**
     * The interceptor.
     *
     * @throws IllegalStateException if nothing says who the callers are
     */
    public IdempotencyInterceptor build() {
      CallerScope callers = scope;
      if (callers == null) {
        throw new IllegalStateException(
            "say who the caller is, because a key is one caller's own: scope((call, headers) ->"
                + " identity), scopeByContext(key), scopeByMetadata(name), or"
                + " oneScopeForAllCallers()");
      }
      MethodSettings defaults =
          MethodSettings.builder()
              .maxWait(maxWait)
              .refuseUnknownFields(refuseUnknownFields)
              .build();
      return new IdempotencyInterceptor(
          new InterceptorSettings(
              engine,
              callers,
              Optional.ofNullable(admission),
              Optional.ofNullable(mayReplay),
              new AnswerCodec(
                  new ReplayableMetadata(Optional.ofNullable(replayedHeaders).map(Set::copyOf))),
              new CallThreads(
                  Optional.ofNullable(executor), Optional.ofNullable(handlerExecutor), patience),
              asynchronousClaims,
              inFlightCode,
              limitAfterCancel,
              Optional.ofNullable(shieldLimit).map(limit -> new HandlerShield(limit, true)),
              new Coroutines(),
              exceptions,
              errorDomain),
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
