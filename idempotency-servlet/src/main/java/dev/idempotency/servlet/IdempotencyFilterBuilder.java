package dev.idempotency.servlet;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import jakarta.servlet.http.HttpServletRequest;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;

/** Collects the settings of an {@link IdempotencyFilter}. Not thread-safe. */
public final class IdempotencyFilterBuilder {

  private static final String NO_SCOPE =
      "say who the caller is, because a key is one caller's own: scopeByPrincipal(),"
          + " scopeByHeader(name), scope(request -> identity), or oneScopeForAllCallers()";

  private static final String NO_ROUTES =
      "say what is protected: route(\"POST\", \"/v1/transfers\", RoutePolicy.required()) for each"
          + " operation, or everyRoute(RoutePolicy.optional()) for all of them";

  private final IdempotencyEngine engine;
  private final List<Routes.Route> routes = new ArrayList<>();
  private final Set<String> replayedHeaders = new LinkedHashSet<>();
  private Set<String> methods = Set.of("POST", "PATCH");
  private Optional<RoutePolicy> everyRoute = Optional.empty();
  private boolean ignoreCase;
  private List<String> keyHeaders = List.of("Idempotency-Key", "X-Idempotency-Key");
  private boolean uuidKeys;
  private Optional<CallerScope> scope = Optional.empty();
  private Optional<String> firstSentHeader = Optional.empty();
  private Optional<String> expiresHeader = Optional.of("Idempotency-Key-Expires");
  private Optional<KeySource> keySource = Optional.empty();
  private ResponseRedaction redaction = (request, response) -> Optional.of(response);
  private Optional<ReplayPermission> mayReplay = Optional.empty();
  private Optional<AdmissionHook> admission = Optional.empty();
  private ProblemWriter problemWriter = Answers::writeDocument;
  private URI problemTypes = URI.create(IdempotencyFilter.PROBLEM_TYPES);
  private Optional<URI> describedBy = Optional.empty();
  private boolean failOpen;
  private Set<String> ignoredQueryParameters = Set.of();
  private String fingerprintTag = "http/1";
  private RequestFingerprint fingerprint = RequestFingerprint.body();

  IdempotencyFilterBuilder(IdempotencyEngine engine) {
    this.engine = engine;
  }

  /**
   * Sets the policy of a route; the first route that matches counts. Where containers and
   * frameworks may read a path in several ways (a slash at its end, encoded slashes, empty
   * segments), or may take another method ({@code X-HTTP-Method-Override}, {@code _method}), the
   * strictest policy of all readings counts.
   *
   * @param method an HTTP method, not a safe one, or {@code *}
   * @param pathPattern a path within the application, decoded; {@code *} stands for any characters
   *     of one segment, {@code /**} for any further segments or none
   */
  public IdempotencyFilterBuilder route(String method, String pathPattern, RoutePolicy policy) {
    routes.add(new Routes.Route(method, pathPattern, policy));
    return this;
  }

  /**
   * Sets the policy where no {@link #route} matches, for the {@link #methods}. Without it nothing
   * is protected there, and nothing is kept.
   */
  public IdempotencyFilterBuilder everyRoute(RoutePolicy policy) {
    this.everyRoute = Optional.of(policy);
    return this;
  }

  /**
   * Compares paths with routes without regard to case, for a framework that does so (Spring's
   * {@code PathPatternParser.setCaseSensitive(false)}, for example); default false.
   */
  public IdempotencyFilterBuilder caseInsensitiveRoutes(boolean ignore) {
    this.ignoreCase = ignore;
    return this;
  }

  /**
   * The methods that {@link #everyRoute} is for; default POST and PATCH; {@code *} for all but safe
   * ones.
   */
  public IdempotencyFilterBuilder methods(String... protectedMethods) {
    Arrays.stream(protectedMethods).forEach(Routes::checkedMethod);
    this.methods = Set.of(protectedMethods);
    return this;
  }

  /**
   * Callers are told apart by the request's {@link HttpServletRequest#getUserPrincipal()
   * principal}, together with its {@link HttpServletRequest#getAuthType() scheme} and the issuer of
   * its certificate where the container knows them. A caller without a principal has no identity:
   * see {@link #scope}.
   */
  public IdempotencyFilterBuilder scopeByPrincipal() {
    this.scope = Optional.of(CallerScope.ofPrincipal());
    return this;
  }

  /**
   * Callers are told apart by the value of a header, such as an API key or a tenant that a gateway
   * sets. The value must be the same in every retry: a token that is rotated, or a signature, is no
   * identity. A caller without the header has no identity: see {@link #scope}.
   *
   * @throws IllegalArgumentException if it is not a header name
   */
  public IdempotencyFilterBuilder scopeByHeader(String name) {
    this.scope = Optional.of(CallerScope.ofHeader(name));
    return this;
  }

  /**
   * Callers are told apart by what a function says of their request: a tenant, the subject and
   * issuer of a token, the owner of a signing key.
   *
   * @param identity the caller's; empty for a caller without one. All of these share a scope of
   *     their own, which no identity can have. Of an identity above 500 characters its digest is
   *     used; one that is not well-formed Unicode is refused with 400. What it throws fails the
   *     request before anything runs. Must be thread-safe
   */
  public IdempotencyFilterBuilder scope(Function<HttpServletRequest, Optional<String>> identity) {
    this.scope = Optional.of(CallerScope.of(identity));
    return this;
  }

  /**
   * All callers share one scope: who knows another's key gets its answer. For services with one
   * caller, and where keys cannot be guessed.
   */
  public IdempotencyFilterBuilder oneScopeForAllCallers() {
    this.scope = Optional.of(CallerScope.ofAllCallers());
    return this;
  }

  /**
   * The header fields that carry the key; default {@code Idempotency-Key} with the alias {@code
   * X-Idempotency-Key}.
   */
  public IdempotencyFilterBuilder keyHeaders(String name, String... aliases) {
    List<String> names = new ArrayList<>();
    names.add(token(name));
    Arrays.stream(aliases).map(IdempotencyFilterBuilder::token).forEach(names::add);
    this.keyHeaders = names;
    return this;
  }

  /**
   * Where else the key may be than in a header field; default nowhere. Where a request names keys
   * in both, they must agree. The bodies of requests without a key are read then too, where a route
   * does not say {@link RoutePolicy#off()}, and bounded by its {@code maxRequestBytes}.
   */
  public IdempotencyFilterBuilder keySource(KeySource source) {
    this.keySource = Optional.of(source);
    return this;
  }

  /** Accepts only UUIDs as keys; default any 1 to 255 visible ASCII characters. */
  public IdempotencyFilterBuilder uuidKeysOnly() {
    this.uuidKeys = true;
    return this;
  }

  /**
   * Records and replays these headers too, beside {@code Content-Encoding}, {@code
   * Content-Language}, {@code Content-Location}, {@code Content-Type}, {@code ETag}, {@code Link}
   * and {@code Location}.
   */
  public IdempotencyFilterBuilder replayedHeaders(String... additional) {
    replayedHeaders.addAll(Arrays.asList(additional));
    return this;
  }

  /** Tells the key's lifetime in this header; default {@code Idempotency-Key-Expires}. */
  public IdempotencyFilterBuilder expiresHeader(String name) {
    this.expiresHeader = Optional.of(token(name));
    return this;
  }

  /** Does not tell the key's lifetime. */
  public IdempotencyFilterBuilder noExpiresHeader() {
    this.expiresHeader = Optional.empty();
    return this;
  }

  /**
   * Reads from this header when the client sent the first attempt, for {@link
   * dev.idempotency.LateKeys#REFUSE}; default none, only the key itself can say it. OASIS
   * Repeatable Requests 1.0 names it {@code Repeatability-First-Sent}. A value that is no date of
   * RFC 9110, section 5.6.7, is refused with 400.
   */
  public IdempotencyFilterBuilder firstSentHeader(String name) {
    this.firstSentHeader = Optional.of(token(name));
    return this;
  }

  /** Writes the filter's own answers; default as {@code application/problem+json} (RFC 9457). */
  public IdempotencyFilterBuilder problemWriter(ProblemWriter writer) {
    this.problemWriter = writer;
    return this;
  }

  /** Decides what of a response is kept for retries; default all that is replayed. */
  public IdempotencyFilterBuilder redaction(ResponseRedaction responseRedaction) {
    this.redaction = responseRedaction;
    return this;
  }

  /**
   * Decides, before a stored answer is replayed, whether this caller may see it now; default every
   * caller whose request is the same as the first one's.
   */
  public IdempotencyFilterBuilder mayReplay(ReplayPermission permission) {
    this.mayReplay = Optional.of(permission);
    return this;
  }

  /** Decides which requests with a key are admitted at all; default all of them. */
  public IdempotencyFilterBuilder admission(AdmissionHook hook) {
    this.admission = Optional.of(hook);
    return this;
  }

  /**
   * What the {@code type} of a problem (RFC 9457) begins with; its name follows. Default {@value
   * IdempotencyFilter#PROBLEM_TYPES}. Clients of this library know the default only.
   */
  public IdempotencyFilterBuilder problemTypes(URI base) {
    this.problemTypes = base;
    return this;
  }

  /**
   * Where the problems are documented: the {@code Link rel="describedby"} of a problem points to
   * this, followed by its name. Default no link.
   */
  public IdempotencyFilterBuilder describedBy(URI base) {
    this.describedBy = Optional.of(base);
    return this;
  }

  /**
   * Runs requests <em>unprotected</em> while the store is down, marked {@code
   * Idempotent-Unprotected: true}, so that a retry can run twice. Default: they get 503.
   */
  public IdempotencyFilterBuilder failOpen() {
    this.failOpen = true;
    return this;
  }

  /**
   * What must be the same in a retry, beside method, path, query, {@code Content-Type} and {@code
   * Content-Encoding}, which are always compared; default the bytes of the body.
   *
   * @param name of this way of comparing. Give another one when it changes: records that are there
   *     then are not compared with, instead of refusing every retry during a deploy
   */
  public IdempotencyFilterBuilder fingerprint(String name, RequestFingerprint requestFingerprint) {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("the name of a fingerprint must not be empty");
    }
    this.fingerprintTag = "http/1+" + name;
    this.fingerprint = requestFingerprint;
    return this;
  }

  /**
   * Parameters of the query that may differ in a retry, such as a time against caches; default
   * none. In a form they are part of the body, and compared.
   *
   * @param names as they are when decoded
   */
  public IdempotencyFilterBuilder ignoredQueryParameters(String... names) {
    this.ignoredQueryParameters = Set.of(names);
    return this;
  }

  private static String token(String name) {
    if (!KeyHeader.isToken(name)) {
      throw new IllegalArgumentException("not a header name: \"" + name + "\"");
    }
    return name;
  }

  /**
   * The filter.
   *
   * @throws IllegalStateException if nothing said who the caller is, or which routes are protected
   * @throws IllegalArgumentException if a policy's lease or TTL is out of its bounds, a header can
   *     never be replayed, or the engine's memory is too small for the largest {@code
   *     maxRequestBytes}
   */
  public IdempotencyFilter build() {
    return new IdempotencyFilter(settings());
  }

  FilterSettings settings() {
    CallerScope callers = scope.orElseThrow(() -> new IllegalStateException(NO_SCOPE));
    if (routes.isEmpty() && everyRoute.isEmpty()) {
      throw new IllegalStateException(NO_ROUTES);
    }
    policies().forEach(policy -> check(policy.values()));
    checkMemory();
    return new FilterSettings(
        engine,
        new Routes(routes, methods, everyRoute.orElse(RoutePolicy.off()), ignoreCase),
        new KeyHeader(keyHeaders, uuidKeys),
        callers,
        fingerprintTag,
        new ComparedRequest(ignoredQueryParameters),
        fingerprint,
        new ReplayedHeaders(replayedHeaders),
        expiresHeader,
        new FirstSent(firstSentHeader),
        keySource,
        redaction,
        mayReplay,
        admission,
        problemWriter,
        problemTypes.toString(),
        describedBy.map(URI::toString),
        new InnerProblem(problemTypes.toString()),
        failOpen);
  }

  private Stream<RoutePolicy> policies() {
    return Stream.concat(everyRoute.stream(), routes.stream().map(Routes.Route::policy));
  }

  /** A body is held in pieces until it is whole, and then beside them in one. */
  private void checkMemory() {
    long needed =
        2L * policies().mapToInt(policy -> policy.values().maxRequestBytes()).max().orElseThrow();
    long there = engine.config().memory().largest(MemoryBudget.Kind.REQUESTS);
    if (needed > there) {
      throw new IllegalArgumentException(
          "the largest maxRequestBytes is "
              + needed / 2
              + " and needs twice as much memory, but "
              + there
              + " bytes is the most that one request may hold; give IdempotencyConfig more memory,"
              + " or lower maxRequestBytes");
    }
  }

  /** The engine's own bounds, now instead of at the first request. */
  private void check(RoutePolicy.Values policy) {
    Duration lease = policy.lease().orElse(engine.config().lease());
    Duration ttl = policy.ttl().orElse(engine.config().ttl());
    IdempotencyConfig.builder()
        .lease(lease)
        .ttl(ttl)
        .lateKeys(engine.config().lateKeys())
        .clockSkew(engine.config().clockSkew())
        .build();
    if (policy.refusalTtl().filter(refusal -> refusal.compareTo(lease) <= 0).isPresent()) {
      throw new IllegalArgumentException(
          "refusalTtl must be longer than the lease, but "
              + policy.refusalTtl().get()
              + " <= "
              + lease);
    }
    int outcome = engine.config().maxOutcomeBytes();
    long needed = policy.maxResponseBytes().orElse(0) + (long) RoutePolicy.Values.HEAD_BYTES;
    if (policy.maxResponseBytes().isPresent() && needed > outcome) {
      throw new IllegalArgumentException(
          "maxResponseBytes of "
              + policy.maxResponseBytes().getAsInt()
              + " needs an engine that keeps "
              + needed
              + " bytes ("
              + RoutePolicy.Values.HEAD_BYTES
              + " of them for header fields), but its maxOutcomeBytes is "
              + outcome
              + "; raise IdempotencyConfig's maxOutcomeBytes, or lower maxResponseBytes");
    }
  }
}
