package dev.idempotency.servlet;

import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Outcome;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * One request that runs: stores how it ended, then lets its answer go. Whoever comes first, the end
 * of the handler, of its asynchronous work, a timeout or a body over its cap, ends it; the others
 * find it answered.
 */
final class Exchange {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** What gRPC's half has, where the container knows no limit. */
  private static final Duration LIMIT_AFTER_CLIENT = Duration.ofMinutes(10);

  private final FilterSettings settings;
  private final Answers answers;
  private final KeyedRequest request;
  private final BufferedResponse response;
  private final HandlerExecution execution;
  private final Instant expiresAt;
  private final AtomicBoolean answered = new AtomicBoolean();
  private final List<Runnable> listeners = new ArrayList<>();
  private boolean dispatching;
  private volatile @Nullable ExchangeAsyncContext async;
  private volatile boolean startedInThisDispatch;
  private volatile boolean inside;
  private volatile @Nullable CompletableFuture<Void> end;

  Exchange(
      FilterSettings settings,
      KeyedRequest request,
      BufferedResponse response,
      OwnedExecution execution,
      Instant expiresAt) {
    this.settings = settings;
    this.answers = new Answers(settings);
    this.request = request;
    this.response = response;
    this.execution = new HandlerExecution(execution);
    this.expiresAt = expiresAt;
    response.body().onOverflow(this::overflow);
    request.belongsTo(this);
  }

  KeyedRequest request() {
    return request;
  }

  BufferedResponse response() {
    return response;
  }

  HttpExecution execution() {
    return execution;
  }

  /** Runs the handler, for the first time or after a dispatch. */
  void run(FilterChain chain, ServletRequest asSeen, ServletResponse answer)
      throws IOException, ServletException {
    startedInThisDispatch = false;
    synchronized (listeners) {
      dispatching = true;
    }
    inside = true;
    try {
      chain.doFilter(asSeen, answer);
    } catch (Throwable thrown) {
      inside = false;
      if (!ended(thrown)) {
        throw thrown;
      }
      return;
    }
    inside = false;
    startListeners();
    if (!startedInThisDispatch) {
      finish(async == null);
    }
  }

  /** Whether the chain runs now, so that what is dispatched is part of it. */
  boolean isInside() {
    return inside;
  }

  /** Whether nothing more is expected of the container. */
  boolean isAnswered() {
    return answered.get() || end != null;
  }

  /** Listeners of streams run when the handler has returned, as in a container, never beside it. */
  void afterDispatch(Runnable listener) {
    synchronized (listeners) {
      listeners.add(listener);
      if (dispatching) {
        return;
      }
    }
    startListeners();
  }

  private void startListeners() {
    List<Runnable> ready;
    synchronized (listeners) {
      dispatching = false;
      ready = List.copyOf(listeners);
      listeners.clear();
    }
    ExchangeAsyncContext started = async;
    if (started != null && !started.isEnded() && !answered.get()) {
      ready.forEach(started::start);
    }
  }

  /**
   * The handler has answered.
   *
   * @param errorPages whether the container may still make one
   */
  void finish(boolean errorPages) throws IOException {
    CompletableFuture<Void> awaited = end;
    if (awaited != null) {
      awaited.complete(null);
    }
    response.drainWriter();
    if (!answered.compareAndSet(false, true)) {
      return;
    }
    HandlerExecution.Ended ended = settle();
    response.body().ignoreMore();
    if (sentInstead(ended)) {
      return;
    }
    if (response.error().isPresent() && !ended.recorded() && errorPages) {
      sendError(response.sendHead(), response.error().get());
      return;
    }
    HttpServletResponse behind = response.sendHead();
    if (ended.recorded()) {
      answers.expires(behind, expiresAt);
    }
    if (response.error().isPresent()) {
      behind.setContentType(ProblemDocument.MEDIA_TYPE);
      Answers.body(behind, ErrorBody.of(response));
    } else {
      Answers.body(behind, response.body().bytes());
    }
  }

  private void sendError(HttpServletResponse behind, String message) throws IOException {
    if (message.isEmpty()) {
      behind.sendError(response.getStatus());
    } else {
      behind.sendError(response.getStatus(), message);
    }
  }

  private HandlerExecution.Ended settle() {
    Outcome outcome;
    try {
      RecordedResponse own = response.recorded(settings.replayedHeaders());
      if (response.error().isPresent()) {
        own = ErrorBody.replacing(own, response);
      }
      outcome = own.toOutcome();
      if (outcome.size() > settings.engine().config().maxOutcomeBytes()) {
        outcome = own.toTombstone();
      }
    } catch (RuntimeException | Error e) {
      execution.endInDoubt();
      throw e;
    }
    return execution.endWith(ending(), outcome);
  }

  private Ending ending() {
    return Ending.of(response.getStatus(), async != null);
  }

  /** The body passes its cap: only the status can be kept, and nothing more need be held back. */
  private void overflow() throws IOException {
    if (!answered.compareAndSet(false, true)) {
      response.body().ignoreMore();
      return;
    }
    HandlerExecution.Ended ended =
        execution.endWith(ending(), RecordedResponse.of(response.getStatus()).toTombstone());
    if (sentInstead(ended)) {
      response.body().ignoreMore();
      return;
    }
    HttpServletResponse behind = response.sendHead();
    if (ended.recorded()) {
      answers.expires(behind, expiresAt);
    }
    if (response.declaredLength() >= 0) {
      behind.setContentLengthLong(response.declaredLength());
    }
    response.body().sendTo(behind.getOutputStream());
  }

  /** Whether another answer than the handler's own is the true one, and has been sent. */
  private boolean sentInstead(HandlerExecution.Ended ended) throws IOException {
    if (ended.answer().isPresent()) {
      answers.replay(response.discard(), ended.answer().get(), expiresAt);
      return true;
    }
    if (ended.fencedOff()) {
      answers.unknown(response.discard());
      return true;
    }
    if (ended.keyReused()) {
      answers.keyReused(response.discard());
      return true;
    }
    return false;
  }

  /** Whether it has been answered all the same; what the handler threw is never lost. */
  private boolean ended(Throwable thrown) {
    try {
      return answeredDespite(thrown);
    } catch (IOException | RuntimeException | Error e) {
      thrown.addSuppressed(e);
      return false;
    }
  }

  private boolean answeredDespite(Throwable thrown) throws IOException {
    if (!answered.compareAndSet(false, true)) {
      return false;
    }
    response.body().ignoreMore();
    HandlerExecution.Ended ended = execution.endInDoubt();
    if (ended.keyReused()) {
      answers.keyReused(response.discard());
      return true;
    }
    if (ended.answer().isEmpty()) {
      response.sendFieldsOfFailure();
      return false;
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the handler of " + execution.key() + " failed, but how it ended is known and is answered",
        thrown);
    answers.replay(response.discard(), ended.answer().get(), expiresAt);
    return true;
  }

  /** Asynchronous work timed out or broke. Whether this was its end, and has been answered. */
  boolean failAsync() {
    if (!answered.compareAndSet(false, true)) {
      return false;
    }
    response.body().ignoreMore();
    HandlerExecution.Ended ended = execution.endInDoubt();
    try {
      if (!sentInstead(ended)) {
        answers.problem(
            response.discard(),
            Problem.HANDLER_FAILED,
            "The request did not come to its end. Send it again with the same key.");
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client went before its answer", e);
    }
    return true;
  }

  /**
   * The client went while asynchronous work goes on. What the handler answers is stored all the
   * same, for the client's retry; if it does not within the time that it would have had from now,
   * it ends in doubt.
   *
   * @param millis the container's limit; none if not above zero
   */
  void clientGone(long millis) {
    response.detach();
    CompletableFuture<Void> awaited = new CompletableFuture<>();
    end = awaited;
    long limit = millis > 0 ? millis : LIMIT_AFTER_CLIENT.toMillis();
    var unused =
        awaited
            .orTimeout(limit, TimeUnit.MILLISECONDS)
            .whenCompleteAsync(
                (done, late) -> {
                  if (late != null) {
                    failAsync();
                  }
                });
  }

  /** The container did not let the handler have its turn. */
  void neverRan() {
    if (answered.compareAndSet(false, true)) {
      execution.release();
    }
  }

  /** The container has ended the request: too late to answer, not too late to store. */
  void ended() {
    request.endShare();
    if (end == null && answered.compareAndSet(false, true)) {
      response.body().ignoreMore();
      execution.endInDoubt();
      LOG.log(
          System.Logger.Level.ERROR,
          "{0} was dispatched, but did not come back to the idempotency filter, so its answer was"
              + " dropped; register the filter for DispatcherType.ASYNC too",
          execution.key());
    }
  }

  /** A container that dispatches past the filter must not send an empty success. */
  void expectDispatch() {
    if (!answered.get()) {
      response.statusUnlessAnswered(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
    }
  }

  AsyncContext startAsync(ServletRequest started, ServletResponse answer, boolean original) {
    AsyncContext container = request.startContainerAsync(started, answer);
    ExchangeAsyncContext context =
        new ExchangeAsyncContext(this, container, started, answer, original);
    container.addListener(context.listener());
    async = context;
    startedInThisDispatch = true;
    return context;
  }

  AsyncContext asyncContextOr(AsyncContext container) {
    ExchangeAsyncContext started = async;
    return started == null ? container : started;
  }
}
