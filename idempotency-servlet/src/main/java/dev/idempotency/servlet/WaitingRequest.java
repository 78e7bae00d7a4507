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
 */
final class WaitingRequest implements AsyncListener {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  /** The engine ends every wait by itself; the container only if it does not. */
  private static final Duration GRACE = Duration.ofSeconds(30);

  /** Puts a decision that does not run the handler into a response. */
  @FunctionalInterface
  interface Refusal {
    void answer(Decision decision) throws IOException;
  }

  private final FilterSettings settings;
  private final KeyedRequest request;
  private final BufferedResponse response;
  private final CompletableFuture<Decision> wait;
  private final Refusal refusal;
  private final AtomicBoolean taken = new AtomicBoolean();
  private volatile @Nullable Exchange exchange;

  WaitingRequest(
      FilterSettings settings,
      KeyedRequest request,
      BufferedResponse response,
      CompletableFuture<Decision> wait,
      Refusal refusal) {
    this.settings = settings;
    this.request = request;
    this.response = response;
    this.wait = wait;
    this.refusal = refusal;
  }

  /** Gives the thread back. */
  void start(Duration maxWait) {
    // For the one that becomes the one that runs; not later, when the container may have taken the
    // response back.
    response.statusUnlessAnswered(HttpServletResponse.SC_INTERNAL_SERVER_ERROR);
    AsyncContext context = request.startAsync(request, response);
    context.setTimeout(maxWait.plus(GRACE).toMillis());
    context.addListener(this);
    var unused = wait.thenAccept(decision -> handOver(context, decision));
  }

  private void handOver(AsyncContext context, Decision decision) {
    try {
      context.start(() -> settle(context, decision));
    } catch (RuntimeException e) {
      // Nothing wrong where the client has gone: the container is about to say so.
      LOG.log(
          e instanceof IllegalStateException
              ? System.Logger.Level.DEBUG
              : System.Logger.Level.WARNING,
          "the container takes no more tasks for this request",
          e);
      if (decision instanceof Decision.Proceed proceed) {
        proceed.execution().release();
      }
      if (taken.compareAndSet(false, true)) {
        answer(context, new Decision.InFlight(settings.engine().config().retryAfter()));
      }
    }
  }

  private void settle(AsyncContext context, Decision decision) {
    if (!taken.compareAndSet(false, true)) {
      if (decision instanceof Decision.Proceed proceed) {
        proceed.execution().release();
      }
      return;
    }
    if (decision instanceof Decision.Proceed proceed) {
      Exchange ours =
          new Exchange(settings, request, response, proceed.execution(), proceed.expiresAt());
      exchange = ours;
      try {
        context.dispatch();
      } catch (RuntimeException e) {
        LOG.log(System.Logger.Level.DEBUG, "the client went before its turn", e);
        ours.neverRan();
      }
      return;
    }
    answer(context, decision);
  }

  private void answer(AsyncContext context, Decision decision) {
    try {
      refusal.answer(decision);
    } catch (IOException | IllegalStateException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client went before its answer", e);
    }
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
    if (taken.compareAndSet(false, true)) {
      wait.cancel(false);
      answer(
          event.getAsyncContext(), new Decision.InFlight(settings.engine().config().retryAfter()));
    }
  }

  @Override
  public void onComplete(AsyncEvent event) {
    taken.set(true);
    wait.cancel(false);
    Exchange ours = exchange;
    if (ours != null) {
      ours.ended();
    }
  }

  @Override
  public void onStartAsync(AsyncEvent event) {}
}
