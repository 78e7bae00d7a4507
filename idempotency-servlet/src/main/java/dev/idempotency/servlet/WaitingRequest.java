package dev.idempotency.servlet;

import dev.idempotency.Decision;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * A request that waits for the first one with its key, without a thread of the container. Answers
 * on a thread of the container; if it becomes the one that runs, goes through the filter again.
 *
 * <p>A claimed execution has an owner at each step: this object until the container has accepted
 * the dispatch, then its {@link Exchange}, which runs it once, or releases it when the container
 * ends the request or does nothing at all.
 */
final class WaitingRequest implements AsyncListener {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** The engine ends every wait by itself; the container only if it does not. */
  private static final Duration GRACE = Duration.ofSeconds(30);

  /** Puts a decision that does not run the handler into a response. */
  @FunctionalInterface
  interface Refusal {
    void answer(HttpServletResponse response, Decision decision) throws IOException;
  }

  private final FilterSettings settings;
  private final Host host;
  private final RoutePolicy.Values policy;
  private final KeyedRequest request;
  private final BufferedResponse response;
  private final CompletableFuture<Decision> wait;
  private final Refusal refusal;
  private final AtomicBoolean over = new AtomicBoolean();
  private volatile @Nullable Exchange exchange;

  WaitingRequest(
      FilterSettings settings,
      Host host,
      RoutePolicy.Values policy,
      KeyedRequest request,
      BufferedResponse response,
      CompletableFuture<Decision> wait,
      Refusal refusal) {
    this.settings = settings;
    this.host = host;
    this.policy = policy;
    this.request = request;
    this.response = response;
    this.wait = wait;
    this.refusal = refusal;
  }

  /** Gives the thread back. */
  void start(Duration maxWait) {
    AsyncContext context;
    try {
      // Preset, in case its dispatch never returns; later the response may be recycled.
      request.presetStatus(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
      // Where the dispatch may go past us, what the handler answers must not leave unrecorded.
      context = request.startToWait(host.dispatchesComeBack() ? request.answer() : response);
      context.setTimeout(maxWait.plus(GRACE).toMillis());
      context.addListener(this);
    } catch (RuntimeException | Error e) {
      if (!wait.cancel(false)) {
        var unused = wait.thenAccept(WaitingRequest::disown);
      }
      throw e;
    }
    var unused = wait.thenAccept(decision -> handOver(context, decision));
  }

  private static void disown(Decision decision) {
    if (decision instanceof Decision.Proceed proceed) {
      proceed.execution().release();
    }
  }

  /** On a thread of the engine: must not block on the client. */
  private void handOver(AsyncContext context, Decision decision) {
    request.memory().endWait();
    if (decision instanceof Decision.Proceed proceed) {
      Exchange ours;
      try {
        ours =
            new Exchange(
                settings,
                host,
                policy,
                request,
                response,
                proceed.execution(),
                proceed.expiresAt());
        exchange = ours;
      } catch (RuntimeException | Error e) {
        proceed.execution().release();
        throw e;
      }
      takeTurn(context, ours);
      return;
    }
    try {
      context.start(() -> answer(context, decision));
    } catch (RuntimeException | Error e) {
      LOG.log(
          e instanceof IllegalStateException
              ? System.Logger.Level.DEBUG
              : System.Logger.Level.WARNING,
          "the container takes no more tasks for this request",
          e);
      // With the status that was preset: writing here would hold up other waits.
      if (over.compareAndSet(false, true)) {
        complete(context);
      }
    }
  }

  private void takeTurn(AsyncContext context, Exchange ours) {
    if (!over.compareAndSet(false, true)) {
      ours.neverRan();
      return;
    }
    ours.expectEntry(GRACE);
    try {
      context.dispatch();
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.DEBUG, "the client disconnected before its turn", e);
      ours.neverRan();
      complete(context);
    }
  }

  private void answer(AsyncContext context, Decision decision) {
    if (!over.compareAndSet(false, true)) {
      return;
    }
    try {
      HttpServletResponse inFront = request.answer();
      if (!ArrivingResponse.isEnded(inFront)) {
        HttpServletResponse arriving = ArrivingResponse.of(inFront);
        refusal.answer(arriving, decision);
        ArrivingResponse.ensure(arriving);
      }
    } catch (IOException | IllegalStateException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client disconnected before its answer", e);
    } finally {
      complete(context);
    }
  }

  private static void complete(AsyncContext context) {
    try {
      context.complete();
    } catch (IllegalStateException e) {
      LOG.log(System.Logger.Level.DEBUG, "the container has ended the request before", e);
    }
  }

  @Override
  public void onTimeout(AsyncEvent event) {
    giveUp(event);
  }

  @Override
  public void onError(AsyncEvent event) {
    giveUp(event);
  }

  private void giveUp(AsyncEvent event) {
    // A wait that has just ended is handed over all the same, and finds that it is too late.
    wait.cancel(false);
    answer(event.getAsyncContext(), new Decision.InFlight(settings.engine().config().retryAfter()));
  }

  @Override
  public void onComplete(AsyncEvent event) {
    over.set(true);
    wait.cancel(false);
    Exchange ours = exchange;
    if (ours != null) {
      ours.containerEnded(ContainerStatus.of(event));
    }
  }

  @Override
  public void onStartAsync(AsyncEvent event) {}
}
