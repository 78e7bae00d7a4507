package dev.idempotency.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import org.jspecify.annotations.Nullable;

/**
 * A request with a key: what is started asynchronously belongs to its exchange. Its body is the
 * container's. As any request, not thread-safe.
 */
class KeyedRequest extends HttpServletRequestWrapper {

  private final HttpServletResponse answer;
  private final @Nullable String origin;
  private final RequestMemory memory;
  private volatile @Nullable Exchange exchange;

  /**
   * Around a request.
   *
   * @param memory what the request holds
   */
  KeyedRequest(HttpServletRequest request, HttpServletResponse answer, RequestMemory memory) {
    super(request);
    this.answer = answer;
    this.memory = memory;
    this.origin = request.getHeader("Origin");
  }

  /** For which a browser wants the answer; taken now, because a container takes requests back. */
  @Nullable String origin() {
    return origin;
  }

  /** From now on the exchange ends what is started asynchronously. */
  void belongsTo(Exchange owner) {
    exchange = owner;
  }

  /**
   * Knows its exchange by itself, so that nothing need be put into the container's request when a
   * wait ends: that may be another one's by then.
   */
  @Override
  public @Nullable Object getAttribute(String name) {
    return name.equals(IdempotencyFilter.EXCHANGE) && exchange != null
        ? exchange
        : super.getAttribute(name);
  }

  /** Whether anybody behind the filter has looked at the content; true if that is not known. */
  boolean isContentSeen() {
    return true;
  }

  /**
   * Whether the container includes a resource now, by whichever dispatcher, and leaves it to its
   * own response to ignore what that sets (Servlet 6.0 section 9.3). Jetty wraps the response that
   * is handed to the resource instead, and this stays false.
   */
  boolean isIncluding() {
    try {
      return getDispatcherType() == DispatcherType.INCLUDE;
    } catch (RuntimeException takenBackByTheContainer) {
      return false;
    }
  }

  /** Runs a listener of the request's or the response's stream. */
  void listen(Runnable task) {
    if (!isAsyncStarted()) {
      throw new IllegalStateException("a listener of a stream needs startAsync() before");
    }
    Exchange owner = exchange;
    if (owner == null) {
      getAsyncContext().start(task);
    } else {
      owner.afterDispatch(task);
    }
  }

  @Override
  public @Nullable RequestDispatcher getRequestDispatcher(String path) {
    RequestDispatcher container = super.getRequestDispatcher(path);
    return container == null ? null : new ForwardingDispatcher(container);
  }

  @Override
  public AsyncContext startAsync() {
    Exchange owner = exchange;
    // The container's own startAsync() would go on with the request whose body is gone.
    return owner == null
        ? startWithoutExchange(this, answer)
        : owner.startAsync(this, owner.response(), true);
  }

  /** The response as it came to us. */
  HttpServletResponse answer() {
    return answer;
  }

  /** What the container sends if nobody answers, whatever wrappers in front hold back. */
  void presetStatus(int status) {
    ArrivingResponse.container(answer).setStatus(status);
  }

  /**
   * Starts to wait for a turn.
   *
   * @param response for filters in front that act on the dispatch at its end
   */
  AsyncContext startToWait(HttpServletResponse response) {
    return startWithoutExchange(this, response);
  }

  @Override
  public AsyncContext startAsync(ServletRequest request, ServletResponse response) {
    Exchange owner = exchange;
    return owner == null
        ? startWithoutExchange(request, response)
        : owner.startAsync(request, response, false);
  }

  /** The container's own, for the exchange; its memory is given back when that has ended. */
  AsyncContext startContainerAsync(ServletRequest request, ServletResponse response) {
    AsyncContext context = super.startAsync(request, response);
    memory.keep();
    return context;
  }

  private AsyncContext startWithoutExchange(ServletRequest request, ServletResponse response) {
    AsyncContext context = startContainerAsync(request, response);
    context.addListener(new EndOfMemory());
    return context;
  }

  /** What it holds, until it is over. */
  RequestMemory memory() {
    return memory;
  }

  void endMemory() {
    memory.end();
  }

  private final class EndOfMemory implements AsyncListener {

    @Override
    public void onComplete(AsyncEvent event) {
      // An exchange that began meanwhile ends it.
      if (exchange == null) {
        memory.end();
      }
    }

    @Override
    public void onTimeout(AsyncEvent event) {}

    @Override
    public void onError(AsyncEvent event) {}

    @Override
    public void onStartAsync(AsyncEvent event) {}
  }

  @Override
  public AsyncContext getAsyncContext() {
    Exchange owner = exchange;
    return owner == null ? super.getAsyncContext() : owner.asyncContextOr(super.getAsyncContext());
  }
}
