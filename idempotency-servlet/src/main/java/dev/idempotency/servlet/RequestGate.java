package dev.idempotency.servlet;

import dev.idempotency.Admission;
import dev.idempotency.Decision;
import dev.idempotency.Operation;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Lets a request pass, refuses it, answers it from the store, or runs it once. Immutable. */
final class RequestGate {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** Marks a response that a failed-open filter let run without protection. */
  private static final String UNPROTECTED = "Idempotent-Unprotected";

  private final FilterSettings settings;
  private final Host host = new Host();

  RequestGate(FilterSettings settings) {
    this.settings = settings;
  }

  void handle(HttpServletRequest http, HttpServletResponse answer, FilterChain chain)
      throws IOException, ServletException {
    if (IdempotencyFilter.exchange(http) instanceof Exchange exchange) {
      seenAgain(exchange, http, answer, chain);
      return;
    }
    firstSeen(http, answer, chain);
  }

  /** A request with an exchange, dispatched again or handed to us twice. */
  private void seenAgain(
      Exchange exchange, HttpServletRequest http, HttpServletResponse answer, FilterChain chain)
      throws IOException, ServletException {
    if (exchange.isInside() || Dispatch.isPartOfAnother(http)) {
      chain.doFilter(http, answer);
      return;
    }
    DispatcherType type = http.getDispatcherType();
    if (!exchange.isAnswered() && type == DispatcherType.ASYNC) {
      resume(exchange, http, answer, chain);
    } else if (!exchange.isAnswered() && type == DispatcherType.FORWARD) {
      // Asynchronous work of the handler forwards.
      chain.doFilter(http, answer);
    } else if (type == DispatcherType.FORWARD) {
      // A filter in front forwards a request that was answered: that is another one, with its key.
      firstSeen(http, answer, chain);
    } else {
      // A filter in front tries again, or Tomcat does so when a client goes in the moment in which
      // its request is completed.
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: this request came to the idempotency filter again after it was handled; it was not"
              + " run again",
          exchange.execution().key());
      if (!exchange.hasSent() && !answer.isCommitted() && !http.isAsyncStarted()) {
        refuse(http, answer, null, new Decision.InFlight(settings.engine().config().retryAfter()));
      }
    }
  }

  private void resume(
      Exchange exchange, HttpServletRequest http, HttpServletResponse answer, FilterChain chain)
      throws IOException, ServletException {
    IdempotencyFilter.attach(exchange);
    if (!exchange.run(chain, http, answer) && !answer.isCommitted()) {
      refuse(http, answer, null, new Decision.InFlight(settings.engine().config().retryAfter()));
    }
  }

  Host host() {
    return host;
  }

  /** The container takes the filter out of service. */
  void destroy() {
    host.lateEnds().destroy();
  }

  private void firstSeen(HttpServletRequest http, HttpServletResponse answer, FilterChain chain)
      throws IOException, ServletException {
    RoutePolicy.Values policy = policyOf(http);
    if (policy.keyUse() == RoutePolicy.KeyUse.OFF) {
      chain.doFilter(http, answer);
      return;
    }
    KeyHeader.Reading reading = settings.keyHeader().read(http);
    if (reading instanceof KeyHeader.Reading.Unusable unusable) {
      RequestBody.discard(http, answer);
      new Answers(settings, http).problem(answer, unusable.problem(), unusable.detail());
    } else if (reading instanceof KeyHeader.Reading.Present
        || (settings.keySource().isPresent() && !Dispatch.isWithoutKey(http))) {
      keyed(http, answer, chain, policy, reading);
    } else if (policy.keyUse() == RoutePolicy.KeyUse.REQUIRED) {
      RequestBody.discard(http, answer);
      keyMissing(http, answer);
    } else {
      chain.doFilter(http, answer);
    }
  }

  /** What the application would run is what is guarded, however the request came to us. */
  private RoutePolicy.Values policyOf(HttpServletRequest http) {
    return Dispatch.isPartOfAnother(http) || Dispatch.isToView(http) || Dispatch.hasFailedOpen(http)
        ? Routes.OFF
        : settings.routes().policyOf(http);
  }

  private void keyMissing(HttpServletRequest http, HttpServletResponse answer) throws IOException {
    new Answers(settings, http)
        .problem(
            answer,
            Problem.KEY_MISSING,
            settings.keySource().isPresent()
                ? "This operation needs an idempotency key."
                : "This operation needs the header " + settings.keyHeader().name() + ".");
  }

  private void keyed(
      HttpServletRequest http,
      HttpServletResponse answer,
      FilterChain chain,
      RoutePolicy.Values policy,
      KeyHeader.Reading ofHeader)
      throws IOException, ServletException {
    CallerScope.Reading caller = settings.scope().read(http);
    if (caller instanceof CallerScope.Reading.Unusable unusable) {
      RequestBody.discard(http, answer);
      new Answers(settings, http).problem(answer, Problem.CALLER_UNCLEAR, unusable.detail());
    } else if (caller instanceof CallerScope.Reading.Known known) {
      if (settings.firstSent().read(http) instanceof FirstSent.Reading.Unusable unusable) {
        RequestBody.discard(http, answer);
        new Answers(settings, http).problem(answer, Problem.KEY_MALFORMED, unusable.detail());
      } else {
        keyed(http, answer, chain, policy, ofHeader, known.scope());
      }
    }
  }

  private void keyed(
      HttpServletRequest http,
      HttpServletResponse answer,
      FilterChain chain,
      RoutePolicy.Values policy,
      KeyHeader.Reading ofHeader,
      String scope)
      throws IOException, ServletException {
    if (ofHeader instanceof KeyHeader.Reading.Present && isTurnedAway(http, answer, scope, false)) {
      return;
    }
    RequestMemory memory = new RequestMemory(settings.memory(), scope);
    try {
      RequestContent.Reading content =
          RequestContent.read(http, answer, policy.maxRequestBytes(), memory);
      if (content instanceof RequestContent.Reading.Refused refused) {
        refuse(http, answer, refused);
      } else if (content instanceof RequestContent.Reading.Usable usable) {
        KeyHeader.Reading reading =
            settings.keySource().isEmpty()
                ? ofHeader
                : settings.keyHeader().and(ofHeader, keysIn(http, usable));
        boolean foundNow = !(ofHeader instanceof KeyHeader.Reading.Present);
        if (reading instanceof KeyHeader.Reading.Present
            && foundNow
            && isTurnedAway(http, answer, scope, true)) {
          return;
        }
        if (reading instanceof KeyHeader.Reading.Present present) {
          IdempotencyKey key = new IdempotencyKey(scope, present.key());
          Operation operation = operation(http, policy, key, usable.content());
          decided(usable.request(), answer, chain, policy, operation);
        } else if (reading instanceof KeyHeader.Reading.Unusable unusable) {
          new Answers(settings, http).problem(answer, unusable.problem(), unusable.detail());
        } else if (policy.keyUse() == RoutePolicy.KeyUse.REQUIRED) {
          keyMissing(http, answer);
        } else {
          Dispatch.markWithoutKey(usable.request());
          chain.doFilter(usable.request(), answer);
        }
      }
    } finally {
      memory.endUnlessKept();
    }
  }

  /** Whether the application's quota refuses it; as early as its key is known. */
  private boolean isTurnedAway(
      HttpServletRequest http, HttpServletResponse answer, String scope, boolean bodyRead)
      throws IOException {
    Admission admission =
        settings.admission().map(hook -> hook.admit(scope, http)).orElse(Admission.granted());
    if (admission.isGranted()) {
      return false;
    }
    if (!bodyRead) {
      RequestBody.discard(http, answer);
    }
    new Answers(settings, http)
        .retryLater(
            answer,
            admission.isOverloaded() ? Problem.OVERLOADED : Problem.QUOTA_EXCEEDED,
            "This request was not admitted, and nothing was executed. Send it again later with the"
                + " same key.",
            admission.retryAfter().orElseThrow());
    return true;
  }

  private List<String> keysIn(HttpServletRequest http, RequestContent.Reading.Usable usable) {
    byte[] body =
        usable.request() instanceof BufferedRequest buffered ? buffered.bytes() : new byte[0];
    return settings.keySource().orElseThrow().keysOf(http, body);
  }

  private void refuse(
      HttpServletRequest http, HttpServletResponse answer, RequestContent.Reading.Refused refused)
      throws IOException {
    if (refused.problem() == Problem.BODIES_FULL) {
      RequestBody.leave(http, answer);
      new Answers(settings, http)
          .retryLater(
              answer, refused.problem(), refused.detail(), settings.engine().config().retryAfter());
    } else {
      RequestBody.discard(http, answer);
      new Answers(settings, http).problem(answer, refused.problem(), refused.detail());
    }
  }

  private void decided(
      KeyedRequest request,
      HttpServletResponse answer,
      FilterChain chain,
      RoutePolicy.Values policy,
      Operation operation)
      throws IOException, ServletException {
    BufferedResponse response =
        new BufferedResponse(
            answer,
            policy.maxResponseBytes(settings.engine().config().maxOutcomeBytes()),
            request.memory().response(),
            request::listen,
            request::isIncluding);
    CompletableFuture<Decision> deciding = decide(request, operation, policy);
    if (!deciding.isDone() && isToWait(request, deciding)) {
      new WaitingRequest(
              settings,
              host,
              policy,
              request,
              response,
              deciding,
              (to, decision) -> refuse(request, to, request.origin(), decision))
          .start(policy.maxWait());
      return;
    }
    Decision decision =
        deciding.isCancelled()
            ? new Decision.InFlight(settings.engine().config().retryAfter())
            : deciding.join();
    if (decision instanceof Decision.Proceed proceed) {
      exchange(policy, request, response, proceed).run(chain, request, answer);
    } else if (decision instanceof Decision.StoreUnavailable unavailable && mayRun(unavailable)) {
      answer.setHeader(UNPROTECTED, "true");
      Dispatch.markFailedOpen(request);
      chain.doFilter(request, answer);
    } else {
      refuse(request, answer, request.origin(), decision);
    }
  }

  /** Whether there is room for one more that waits; otherwise it waits no more. */
  private static boolean isToWait(KeyedRequest request, CompletableFuture<Decision> deciding) {
    if (request.memory().beginWait()) {
      return true;
    }
    // Without effect if it has just been decided.
    deciding.cancel(false);
    return false;
  }

  /** From here on the exchange owns the execution; what goes wrong before frees the key. */
  private Exchange exchange(
      RoutePolicy.Values policy,
      KeyedRequest request,
      BufferedResponse response,
      Decision.Proceed proceed) {
    Exchange exchange = null;
    try {
      exchange =
          new Exchange(
              settings, host, policy, request, response, proceed.execution(), proceed.expiresAt());
      IdempotencyFilter.attach(exchange);
      return exchange;
    } catch (RuntimeException | Error e) {
      // A listener of request attributes is the application's, and may throw.
      if (exchange == null) {
        proceed.execution().release();
      } else {
        exchange.neverRan();
      }
      throw e;
    }
  }

  private CompletableFuture<Decision> decide(
      HttpServletRequest http, Operation operation, RoutePolicy.Values policy) {
    return policy.maxWait().isZero() || !http.isAsyncSupported()
        ? CompletableFuture.completedFuture(settings.engine().begin(operation))
        : settings.engine().beginOrWait(operation, policy.maxWait());
  }

  /** A damaged record says that the operation may have run; no setting makes that a "go ahead". */
  private boolean mayRun(Decision.StoreUnavailable unavailable) {
    return settings.failOpen() && !unavailable.cause().isUnreadableRecord();
  }

  private Operation operation(
      HttpServletRequest http, RoutePolicy.Values policy, IdempotencyKey key, byte[] content) {
    Fingerprint.Builder fingerprint = Fingerprint.builder(settings.fingerprintTag());
    settings.compared().addTo(fingerprint, http);
    settings.fingerprint().addTo(http, content, fingerprint);
    Operation operation = Operation.of(key, fingerprint.build());
    operation = policy.ttl().map(operation::withTtl).orElse(operation);
    operation = policy.lease().map(operation::withLease).orElse(operation);
    if (settings.firstSent().read(http) instanceof FirstSent.Reading.Known known) {
      operation = known.time().map(operation::withFirstSent).orElse(operation);
    }
    return policy.inDoubt().map(operation::withInDoubt).orElse(operation);
  }

  private void refuse(
      HttpServletRequest http,
      HttpServletResponse answer,
      @Nullable String origin,
      Decision decision)
      throws IOException {
    Answers answers = new Answers(settings, http);
    if (decision instanceof Decision.Replay replay) {
      if (!hasRoomFor(replay, http)) {
        answers.retryLater(
            answer,
            Problem.BODIES_FULL,
            "Too many responses are being sent. Nothing was executed by this request.",
            settings.engine().config().retryAfter());
        return;
      }
      answers.replayEarlier(answer, origin, replay.outcome(), replay.expiresAt());
    } else if (decision instanceof Decision.InFlight inFlight) {
      answers.retryLater(
          answer,
          Problem.IN_FLIGHT,
          "The first request with this key still runs. Ask again later with the same key.",
          inFlight.retryAfter());
    } else if (decision instanceof Decision.Mismatch) {
      answers.keyReused(answer);
    } else if (decision instanceof Decision.StoreUnavailable unavailable) {
      answers.retryLater(
          answer,
          Problem.STORE_UNAVAILABLE,
          "Whether this request ran before cannot be found out now, so it was not run.",
          unavailable.retryAfter());
    } else if (decision instanceof Decision.KeyExpired) {
      answers.problem(
          answer,
          Problem.KEY_EXPIRED,
          "This key is older than a stored response can be, so it cannot be found out whether the"
              + " request ran, and it was not run now. Check its effect, then use a new key.");
    } else if (decision instanceof Decision.NotComparable notComparable) {
      answers.notComparable(answer, notComparable.keyDigest());
    } else if (decision instanceof Decision.Abandoned abandoned) {
      answers.unknown(answer, abandoned.keyDigest());
    } else {
      throw new IllegalStateException("not an answer: " + decision);
    }
  }

  /** The stored outcome, and the body in it. */
  private static boolean hasRoomFor(Decision.Replay replay, HttpServletRequest http) {
    return !(http instanceof KeyedRequest keyed)
        || keyed.memory().response().grow(2L * replay.outcome().size()).isGranted();
  }
}
