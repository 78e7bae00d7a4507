package dev.idempotency.servlet;

import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Outcome;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * One request that runs: stores how it ended, then lets its answer go. Whoever comes first, the end
 * of the handler, of its asynchronous work, a timeout or a body over its cap, ends it; the others
 * find it answered.
 */
final class Exchange {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** What gRPC's half has, where the container sets no limit. */
  private static final Duration LIMIT_OF_CONTAINER = Duration.ofMinutes(10);

  private final FilterSettings settings;
  private final Endings endings;
  private final Answers answers;
  private final KeyedRequest request;
  private final BufferedResponse response;
  private final HandlerExecution execution;
  private final Instant expiresAt;
  private final Host host;
  private final AtomicBoolean answered = new AtomicBoolean();
  private final AtomicReference<Entry> entry = new AtomicReference<>(Entry.EXPECTED);
  private final StreamListeners listeners = new StreamListeners(this::startListener);
  private volatile @Nullable ExchangeAsyncContext async;
  private volatile boolean startedInThisDispatch;
  private volatile boolean inside;
  private volatile boolean sent;
  private volatile boolean relayed;
  private volatile boolean waited;
  private volatile @Nullable HttpServletResponse through;
  private volatile boolean clientGone;
  private volatile boolean containerEnded;
  private volatile boolean settled;
  private volatile LateEnds.@Nullable Pending lateEnd;

  /** Whether the handler was reached: until then the execution can be released. */
  private enum Entry {
    EXPECTED,
    ENTERED,
    GIVEN_UP
  }

  Exchange(
      FilterSettings settings,
      Host host,
      RoutePolicy.Values policy,
      KeyedRequest request,
      BufferedResponse response,
      OwnedExecution execution,
      Instant expiresAt) {
    this.settings = settings;
    this.endings = policy.endings();
    this.answers = new Answers(settings, request);
    this.host = host;
    this.request = request;
    this.response = response;
    this.execution = new HandlerExecution(execution, policy.refusalTtl());
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

  /**
   * Runs the handler, for the first time or after a dispatch.
   *
   * @param asSeen the request as the container gave it to us now
   * @param behind the response as the container gave it to us now
   * @return false if the execution was given up before, and the handler must not run
   */
  boolean run(FilterChain chain, ServletRequest asSeen, HttpServletResponse behind)
      throws IOException, ServletException {
    callOffLateEnd();
    boolean held = isHeld(behind);
    HttpServletResponse inFront = held ? request.answer() : behind;
    if (waited && ArrivingResponse.isEnded(inFront)) {
      neverRan();
    }
    if (!isEntered()) {
      return false;
    }
    through = waited ? ArrivingResponse.of(inFront) : inFront;
    response.continueOn(through);
    ExchangeAsyncContext dispatched = async;
    ServletResponse handlers = dispatched == null ? response : dispatched.getResponse();
    enter(chain, asSeen, held ? behind : handlers);
    return true;
  }

  private boolean isHeld(ServletResponse answer) {
    return answer == response
        || (answer instanceof ServletResponseWrapper wrapper && wrapper.isWrapperFor(response));
  }

  private boolean isEntered() {
    return entry.compareAndSet(Entry.EXPECTED, Entry.ENTERED) || entry.get() == Entry.ENTERED;
  }

  private void enter(FilterChain chain, ServletRequest asSeen, ServletResponse answer)
      throws IOException, ServletException {
    startedInThisDispatch = false;
    listeners.dispatchBegins();
    inside = true;
    try {
      chain.doFilter(asSeen, answer);
    } catch (Throwable thrown) {
      inside = false;
      if (!endedBy(thrown)) {
        throw thrown;
      }
      return;
    }
    inside = false;
    listeners.dispatchEnds();
    if (!startedInThisDispatch) {
      finish();
      ensureArrival();
    }
  }

  /** A filter in front may be over, and hold back what is written to its response. */
  void ensureArrival() throws IOException {
    HttpServletResponse written = through;
    if (written != null && !clientGone) {
      ArrivingResponse.ensure(written);
    }
  }

  /** Whether the chain runs now, so that what is dispatched is part of it. */
  boolean isInside() {
    return inside;
  }

  /** Whether nothing more is expected of the container. */
  boolean isAnswered() {
    return answered.get() || clientGone;
  }

  /** Whether an answer is in the container's response, which it need not have committed. */
  boolean hasSent() {
    return sent;
  }

  /** Listeners of streams run when the handler has returned, as in a container, never beside it. */
  void afterDispatch(Runnable listener) {
    listeners.add(listener);
  }

  private void startListener(Runnable listener) {
    ExchangeAsyncContext started = async;
    if (started == null || started.isEnded() || answered.get()) {
      return;
    }
    try {
      started.start(listener);
    } catch (RuntimeException | Error e) {
      // Nobody else would end it: the handler waits for this listener.
      LOG.log(System.Logger.Level.WARNING, "the container refused to run a stream's listener", e);
      started.fail();
    }
  }

  /** The handler has answered. */
  void finish() throws IOException {
    drainWriter();
    if (!answer()) {
      return;
    }
    try {
      send();
    } finally {
      settled();
    }
  }

  private void send() throws IOException {
    response.removeInnerMarks(settings.expiresHeader());
    HandlerExecution.Ended ended = settle();
    response.body().ignoreMore();
    if (sentInstead(ended) || sentInsteadOfRelayed(ended)) {
      return;
    }
    markOwn(ended);
    sent = true;
    response.send();
  }

  /** Says until when the answer is kept. */
  private void markOwn(HandlerExecution.Ended ended) {
    if (ended.recorded()) {
      Duration shorterBy = execution.ttl().minus(execution.keptFor(response.getStatus()));
      answers.expires(response.behind(), expiresAt.minus(shorterBy));
    }
  }

  private void drainWriter() {
    try {
      response.drainWriter();
    } catch (RuntimeException | Error e) {
      // What the handler wrote is lost, so nobody can say how it ended.
      if (answer()) {
        endInDoubt();
      }
      throw e;
    }
  }

  /**
   * Whether the caller is the one who ends and answers it. Then {@link #settled} must follow, in
   * every end.
   */
  private boolean answer() {
    if (!answered.compareAndSet(false, true)) {
      return false;
    }
    callOffLateEnd();
    return true;
  }

  /** Its end is stored, or given up: what it holds is not needed for that any more. */
  private void settled() {
    settled = true;
    endMemoryIfOver();
  }

  private void endInDoubt() {
    try {
      execution.endInDoubt();
    } finally {
      settled();
    }
  }

  private HandlerExecution.Ended settle() {
    Outcome outcome;
    try {
      Optional<RecordedResponse> own = response.recorded(settings.replayedHeaders());
      if (execution.ended().isEmpty() && own.filter(this::isRelayed).isPresent()) {
        response.body().recorded();
        return execution.endInDoubt();
      }
      if (own.isEmpty()) {
        LOG.log(
            System.Logger.Level.WARNING,
            "there is no memory to record the response of {0}; its status is kept",
            execution.key());
      }
      outcome = own.map(this::outcomeOf).orElseGet(this::statusOnly);
      if (outcome.size() > settings.engine().config().maxOutcomeBytes()) {
        outcome = statusOnly();
      }
    } catch (RuntimeException e) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the response of " + execution.key() + " cannot be recorded; it is sent all the same",
          e);
      return execution.endInDoubt();
    } catch (Error e) {
      execution.endInDoubt();
      throw e;
    }
    try {
      return execution.endWith(ending(), response.getStatus(), outcome);
    } finally {
      response.body().recorded();
    }
  }

  private Outcome outcomeOf(RecordedResponse own) {
    return endings.keepsStatusOnly(own)
        ? own.toNoStoreTombstone()
        : kept(own).map(RecordedResponse::toOutcome).orElseGet(this::statusOnly);
  }

  private Outcome statusOnly() {
    return RecordedResponse.of(response.getStatus()).toTombstone();
  }

  /**
   * Whether the handler passes on what another service with this library says of another request.
   * It is no result of this one, nor does it say that nothing was executed here.
   */
  private boolean isRelayed(RecordedResponse own) {
    Optional<String> problem = settings.innerProblems().relayedBy(own);
    problem.ifPresent(
        name -> {
          relayed = true;
          LOG.log(
              System.Logger.Level.INFO,
              "{0}: its handler relays the answer \"{1}\" of another service; the outcome is in"
                  + " doubt",
              execution.key(),
              name);
        });
    return relayed;
  }

  private boolean sentInsteadOfRelayed(HandlerExecution.Ended ended) throws IOException {
    if (!relayed) {
      return false;
    }
    if (ended.released()) {
      answers.retryLater(
          response.discard(),
          Problem.IN_FLIGHT,
          "What this request asks for is not at its end. Ask again later with the same key.",
          settings.engine().config().retryAfter());
    } else {
      answers.unknown(response.discard(), execution.key().digestHex());
    }
    sent = true;
    return true;
  }

  private Optional<RecordedResponse> kept(RecordedResponse own) {
    try {
      return settings.redaction().redact(request, own);
    } catch (RuntimeException e) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the redaction of the response of " + execution.key() + " failed; its status is kept",
          e);
      return Optional.empty();
    }
  }

  private Ending ending() {
    int status = response.getStatus();
    Ending ending = endings.of(status, async != null);
    return ending == Ending.RECORDED && !endings.isChosen(status) && ranNothing(status)
        ? Ending.RELEASED
        : ending;
  }

  /** Whether an answer that may be a result was surely given by nobody who could have one. */
  private boolean ranNothing(int status) {
    return status == HttpServletResponse.SC_NOT_FOUND
        ? async == null && NoHandler.wasFoundFor(request)
        : Endings.isToLogin(status, response.getHeader("Location")) && !request.isContentSeen();
  }

  /**
   * The body passes its cap, or finds no memory: only the status can be kept, and nothing more need
   * be held back.
   */
  private void overflow() throws IOException {
    if (!answer()) {
      response.body().ignoreMore();
      return;
    }
    try {
      sendUnheld();
    } finally {
      settled();
    }
  }

  private void sendUnheld() throws IOException {
    HandlerExecution.Ended ended = execution.endWith(ending(), response.getStatus(), statusOnly());
    if (sentInstead(ended)) {
      response.body().ignoreMore();
      return;
    }
    response.removeInnerMarks(settings.expiresHeader());
    markOwn(ended);
    sent = true;
    response.sendUnheld();
  }

  /** Whether another answer than the handler's own is the true one, and has been sent. */
  private boolean sentInstead(HandlerExecution.Ended ended) throws IOException {
    if (ended.answer().isPresent()) {
      answers.replay(response.discard(), request.origin(), ended.answer().get(), expiresAt);
      sent = true;
      return true;
    }
    if (ended.fencedOff()) {
      answers.unknown(response.discard(), execution.key().digestHex());
      sent = true;
      return true;
    }
    if (ended.keyReused()) {
      answers.keyReused(response.discard());
      sent = true;
      return true;
    }
    return false;
  }

  /** Whether it has been answered all the same; what the handler threw is never lost. */
  private boolean endedBy(Throwable thrown) {
    try {
      return answeredDespite(thrown);
    } catch (IOException | RuntimeException | Error e) {
      thrown.addSuppressed(e);
      return false;
    }
  }

  private boolean answeredDespite(Throwable thrown) throws IOException {
    if (!answer()) {
      return false;
    }
    try {
      return settledDespite(thrown);
    } finally {
      settled();
    }
  }

  private boolean settledDespite(Throwable thrown) throws IOException {
    try {
      response.drainWriter();
    } catch (RuntimeException | Error e) {
      thrown.addSuppressed(e);
    }
    response.body().ignoreMore();
    HandlerExecution.Ended ended =
        endings.isNotExecuted(thrown) ? execution.endReleased() : execution.endInDoubt();
    if (ended.keyReused()) {
      answers.keyReused(response.discard());
      sent = true;
      return true;
    }
    if (ended.answer().isEmpty()) {
      response.sendUnfinished();
      return false;
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the handler of " + execution.key() + " failed, but how it ended is known and is answered",
        thrown);
    answers.replay(response.discard(), request.origin(), ended.answer().get(), expiresAt);
    sent = true;
    return true;
  }

  /** Asynchronous work timed out or broke. Whether this was its end, and has been answered. */
  boolean failAsync() {
    if (!answer()) {
      return false;
    }
    try {
      response.body().ignoreMore();
      HandlerExecution.Ended ended = execution.endInDoubt();
      if (!sentInstead(ended)) {
        answers.problem(
            response.discard(),
            Problem.HANDLER_FAILED,
            "The request did not come to its end. Send it again with the same key.");
      }
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client disconnected before its answer", e);
    } finally {
      settled();
    }
    return true;
  }

  /**
   * The client disconnected while asynchronous work goes on. What the handler answers is stored all
   * the same, for the client's retry; if it does not within the time that it would have had from
   * now, it ends in doubt.
   *
   * @param millis the container's limit; none if not above zero
   */
  void clientGone(long millis) {
    clientGone = true;
    endLater(
        host.lateEnds()
            .after(millis > 0 ? Duration.ofMillis(millis) : LIMIT_OF_CONTAINER, this::endUnseen));
    response.detach();
  }

  /**
   * The container accepted a dispatch to the handler; it may never carry it out, nor say so.
   *
   * @param limit after which nothing is run for it any more
   */
  void expectEntry(Duration limit) {
    waited = true;
    endLater(host.lateEnds().afterOrWhenDestroyed(limit, () -> dispatchIsLost(0)));
  }

  /**
   * A dispatch that the container accepted did not come to us.
   *
   * @param status that the client got, or 0
   */
  private void dispatchIsLost(int status) {
    if (host.dispatchesComeBack() || endings.of(status, false) == Ending.RELEASED) {
      neverRan();
    } else if (entry.compareAndSet(Entry.EXPECTED, Entry.GIVEN_UP) && answer()) {
      endInDoubt();
    }
  }

  private void endLater(LateEnds.Pending pending) {
    callOffLateEnd();
    lateEnd = pending;
    if (answered.get()) {
      callOffLateEnd();
    }
  }

  /** Nobody ended it and nobody waits for its answer. */
  private void endUnseen() {
    if (answer()) {
      response.body().ignoreMore();
      endInDoubt();
      LOG.log(
          System.Logger.Level.WARNING,
          "{0}: its asynchronous work was not ended within its limit",
          execution.key());
    }
  }

  private void callOffLateEnd() {
    LateEnds.Pending pending = lateEnd;
    if (pending != null) {
      lateEnd = null;
      pending.callOff();
    }
  }

  /** The handler was not reached, and never will be: as good as not asked for. */
  void neverRan() {
    if (entry.compareAndSet(Entry.EXPECTED, Entry.GIVEN_UP) && answer()) {
      try {
        execution.release();
      } finally {
        settled();
      }
    }
  }

  /**
   * The container has ended the request: too late to answer, not too late to store.
   *
   * @param status that it sent
   */
  void containerEnded(int status) {
    containerEnded = true;
    endMemoryIfOver();
    if (entry.get() == Entry.EXPECTED) {
      LOG.log(
          System.Logger.Level.INFO,
          "{0}: its turn did not reach the idempotency filter, and nothing was run for it; status"
              + " {1} was sent, by a filter in front if not by the container",
          execution.key(),
          Integer.toString(status));
    }
    dispatchIsLost(status);
    if (!clientGone && answer()) {
      response.body().ignoreMore();
      endInDoubt();
      LOG.log(
          System.Logger.Level.ERROR,
          "{0}: a dispatch of its handler did not come back to the idempotency filter, so the"
              + " handler''s answer was dropped (status sent: {1}). If no filter in front refused"
              + " the dispatch, register the filter for DispatcherType.ASYNC too",
          execution.key(),
          Integer.toString(status));
    }
  }

  /** The handler may hold the body until the exchange ends, whatever the client does. */
  private void endMemoryIfOver() {
    if (containerEnded && settled) {
      request.endMemory();
    }
  }

  /** A container that dispatches past the filter must not send an empty success. */
  void expectDispatch() {
    if (!answered.get()) {
      endLater(host.lateEnds().after(LIMIT_OF_CONTAINER, this::endUnseen));
      response.statusUnlessAnswered(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
    }
  }

  AsyncContext startAsync(ServletRequest started, ServletResponse answer, boolean original) {
    // Filters in front that act on a dispatch must reach the client: so they get the response that
    // they had, and the handler gets its own back when the dispatch comes to us.
    boolean comesBack = host.dispatchesComeBack();
    AsyncContext container =
        request.startContainerAsync(started, comesBack ? request.answer() : answer);
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
