package dev.idempotency.servlet;

import dev.idempotency.Decision;
import dev.idempotency.Execution;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.Operation;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.StoreException;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * Answers a repeated request with the first one's response, by draft-ietf-httpapi-idempotency-key
 * and stricter where that leaves a choice.
 *
 * <pre>{@code
 * IdempotencyFilter filter =
 *     IdempotencyFilter.builder(engine)
 *         .route("POST", "/v1/transfers", RoutePolicy.required())
 *         .build();
 * }</pre>
 *
 * <p>Register it with {@code asyncSupported} and for the dispatcher types {@code REQUEST} and
 * {@code ASYNC}, behind authentication and in front of everything that reads bodies. The handler
 * finds its {@link Execution} with {@link #execution}. Immutable, thread-safe.
 */
public final class IdempotencyFilter implements Filter {

  private static final String EXCHANGE = IdempotencyFilter.class.getName() + ".exchange";

  /** Marks a response that a failed-open filter let run without protection. */
  private static final String UNPROTECTED = "Idempotent-Unprotected";

  private final FilterSettings settings;
  private final Answers answers;

  IdempotencyFilter(FilterSettings settings) {
    this.settings = settings;
    this.answers = new Answers(settings);
  }

  /** Starts from the defaults. */
  public static IdempotencyFilterBuilder builder(IdempotencyEngine engine) {
    return new IdempotencyFilterBuilder(engine);
  }

  /**
   * The execution of a request that runs under a key; empty for one that is not protected.
   *
   * <p>A handler may end it: after {@code release()} its own response is sent and not recorded;
   * after {@code complete(outcome)} that outcome is the response, see {@link RecordedResponse}.
   */
  public static Optional<Execution> execution(ServletRequest request) {
    return request.getAttribute(EXCHANGE) instanceof Exchange exchange
        ? Optional.of(exchange.execution())
        : Optional.empty();
  }

  static void attach(Exchange exchange) {
    exchange.request().setAttribute(EXCHANGE, exchange);
  }

  @Override
  public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    if (!(request instanceof HttpServletRequest http)
        || !(response instanceof HttpServletResponse answer)) {
      chain.doFilter(request, response);
      return;
    }
    RoutePolicy.Values policy = settings.routes().policyOf(http);
    if (policy.keyUse() == RoutePolicy.KeyUse.OFF
        && request.getDispatcherType() != DispatcherType.ASYNC) {
      chain.doFilter(request, response);
      return;
    }
    if (request.getAttribute(EXCHANGE) instanceof Exchange exchange) {
      if (request.getDispatcherType() == DispatcherType.ASYNC) {
        exchange.run(chain, request, response);
      } else {
        chain.doFilter(request, response);
      }
      return;
    }
    // Whatever else is dispatched has been looked at when it came in.
    if (request.getDispatcherType() != DispatcherType.REQUEST) {
      chain.doFilter(request, response);
      return;
    }
    KeyHeader.Reading reading = settings.keyHeader().read(http);
    if (reading instanceof KeyHeader.Reading.Present present) {
      keyed(http, answer, chain, policy, present.key());
    } else if (reading instanceof KeyHeader.Reading.Unusable unusable) {
      RequestBody.discard(http, answer);
      answers.problem(answer, unusable.problem(), unusable.detail());
    } else if (policy.keyUse() == RoutePolicy.KeyUse.REQUIRED) {
      RequestBody.discard(http, answer);
      answers.problem(
          answer,
          Problem.KEY_MISSING,
          "This operation needs the header " + settings.keyHeader().name() + ".");
    } else {
      chain.doFilter(request, response);
    }
  }

  private void keyed(
      HttpServletRequest http,
      HttpServletResponse answer,
      FilterChain chain,
      RoutePolicy.Values policy,
      String key)
      throws IOException, ServletException {
    Optional<byte[]> body = RequestBody.read(http, policy.maxRequestBytes());
    if (body.isEmpty()) {
      RequestBody.discard(http, answer);
      answers.problem(
          answer,
          Problem.REQUEST_TOO_LARGE,
          "A request with a key may have at most " + policy.maxRequestBytes() + " bytes here.");
      return;
    }
    BufferedRequest request = new BufferedRequest(http, answer, body.get());
    BufferedResponse response =
        new BufferedResponse(
            answer, policy.maxResponseBytes(), task -> request.getAsyncContext().start(task));
    CompletableFuture<Decision> deciding =
        decide(http, operation(http, policy, key, body.get()), policy);
    if (!deciding.isDone()) {
      new WaitingRequest(
              settings, request, response, deciding, decision -> refuse(answer, decision))
          .start(policy.maxWait());
      return;
    }
    Decision decision = deciding.join();
    if (decision instanceof Decision.Proceed proceed) {
      Exchange exchange =
          new Exchange(settings, request, response, proceed.execution(), proceed.expiresAt());
      attach(exchange);
      exchange.run(chain, request, response);
    } else if (decision instanceof Decision.StoreUnavailable unavailable && mayRun(unavailable)) {
      answer.setHeader(UNPROTECTED, "true");
      chain.doFilter(request, answer);
    } else {
      refuse(answer, decision);
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
    return settings.failOpen() && unavailable.cause().reason() != StoreException.Reason.CORRUPT;
  }

  private Operation operation(
      HttpServletRequest http, RoutePolicy.Values policy, String key, byte[] body) {
    String scope = settings.scope().apply(http);
    String query = http.getQueryString();
    Fingerprint.Builder fingerprint =
        Fingerprint.builder("http/1")
            .add(http.getMethod())
            .add(http.getRequestURI())
            .add(query == null ? "" : query)
            .add(body);
    String credential = http.getHeader("Authorization");
    if (scope.isEmpty() && credential != null) {
      fingerprint.caller(credential);
    }
    return new Operation(
        new IdempotencyKey(scope, key),
        fingerprint.build(),
        policy.ttl(),
        policy.lease(),
        policy.inDoubt());
  }

  private void refuse(HttpServletResponse answer, Decision decision) throws IOException {
    if (decision instanceof Decision.Replay replay) {
      answers.replay(answer, replay.outcome(), replay.expiresAt());
    } else if (decision instanceof Decision.InFlight inFlight) {
      answers.retryLater(
          answer,
          Problem.IN_FLIGHT,
          "The first request with this key still runs. Ask again later with the same key.",
          inFlight.retryAfter());
    } else if (decision instanceof Decision.Mismatch) {
      answers.problem(
          answer,
          Problem.KEY_REUSED,
          "This key was used for another request, or by another caller; use a new key.");
    } else if (decision instanceof Decision.StoreUnavailable unavailable) {
      answers.retryLater(
          answer,
          Problem.STORE_UNAVAILABLE,
          "Whether this request ran before cannot be found out now, so it was not run.",
          unavailable.retryAfter());
    } else {
      answers.unknown(answer);
    }
  }
}
