package dev.idempotency.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The handler's view of its asynchronous work: stores the outcome when the handler completes it,
 * and asks the handler's listeners first when it times out or breaks. Thread-safe.
 */
final class ExchangeAsyncContext implements AsyncContext {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  private final Exchange exchange;
  private final AsyncContext container;
  private final ServletRequest request;
  private final ServletResponse response;
  private final boolean original;
  private final List<Registered> listeners = new CopyOnWriteArrayList<>();
  private volatile boolean ended;
  private volatile boolean containerEnds;

  /**
   * A view.
   *
   * @param request that the work was started with; kept here, because the container forgets it when
   *     the client is gone, and the handler may not be at its end
   * @param original whether these are not the handler's own wrappers
   */
  ExchangeAsyncContext(
      Exchange exchange,
      AsyncContext container,
      ServletRequest request,
      ServletResponse response,
      boolean original) {
    this.exchange = exchange;
    this.container = container;
    this.request = request;
    this.response = response;
    this.original = original;
  }

  private record Registered(
      AsyncListener listener, ServletRequest request, ServletResponse response) {}

  @Override
  public void complete() {
    try {
      exchange.finish();
      exchange.ensureArrival();
    } catch (IOException e) {
      LOG.log(System.Logger.Level.DEBUG, "the client went before its answer", e);
    } catch (IllegalStateException e) {
      // The container took its response back while the stored answer was on its way.
      if (!containerEnds) {
        throw e;
      }
      LOG.log(System.Logger.Level.DEBUG, "the client went before its answer", e);
    } finally {
      ended = true;
      completeContainer();
    }
  }

  private void completeContainer() {
    try {
      container.complete();
    } catch (IllegalStateException e) {
      if (!containerEnds) {
        throw e;
      }
      LOG.log(System.Logger.Level.DEBUG, "the container has ended the request before", e);
    }
  }

  @Override
  public void dispatch() {
    dispatch(container::dispatch);
  }

  @Override
  public void dispatch(String path) {
    dispatch(() -> container.dispatch(path));
  }

  @Override
  public void dispatch(ServletContext context, String path) {
    dispatch(() -> container.dispatch(context, path));
  }

  boolean isEnded() {
    return ended;
  }

  private void dispatch(Runnable dispatch) {
    ended = true;
    exchange.expectDispatch();
    try {
      dispatch.run();
    } catch (RuntimeException | Error e) {
      ended = false;
      if (containerEnds) {
        // The rest of the handler was behind the dispatch, and will not come.
        ended = true;
        exchange.failAsync();
      }
      throw e;
    }
  }

  @Override
  public ServletRequest getRequest() {
    return request;
  }

  @Override
  public ServletResponse getResponse() {
    return response;
  }

  @Override
  public boolean hasOriginalRequestAndResponse() {
    return original;
  }

  @Override
  public void start(Runnable task) {
    container.start(task);
  }

  @Override
  public void addListener(AsyncListener listener) {
    addListener(listener, getRequest(), getResponse());
  }

  @Override
  public void addListener(
      AsyncListener listener, ServletRequest request, ServletResponse response) {
    listeners.add(new Registered(listener, request, response));
  }

  @Override
  public <T extends AsyncListener> T createListener(Class<T> type) throws ServletException {
    return container.createListener(type);
  }

  @Override
  public void setTimeout(long millis) {
    container.setTimeout(millis);
  }

  @Override
  public long getTimeout() {
    return container.getTimeout();
  }

  /** Asynchronous work broke, unless it has ended. */
  void fail() {
    if (!ended && exchange.failAsync()) {
      ended = true;
      completeContainer();
    }
  }

  /** What the container shall tell. */
  AsyncListener listener() {
    return new Relay();
  }

  @FunctionalInterface
  private interface Call {
    void on(AsyncListener listener, AsyncEvent event) throws IOException;
  }

  private final class Relay implements AsyncListener {

    @Override
    public void onTimeout(AsyncEvent event) {
      tell(event, AsyncListener::onTimeout);
      fail();
    }

    @Override
    public void onError(AsyncEvent event) {
      tell(event, AsyncListener::onError);
      // Only the container's own reading and writing fails so: what the handler throws was seen.
      if (event.getThrowable() instanceof IOException) {
        // Also if the handler is just completing: Tomcat lets it do so no more.
        containerEnds = true;
        if (!ended) {
          try {
            exchange.clientGone(container.getTimeout());
          } finally {
            completeContainer();
          }
          return;
        }
      }
      fail();
    }

    @Override
    public void onComplete(AsyncEvent event) {
      containerEnds = true;
      tell(event, AsyncListener::onComplete);
      exchange.containerEnded(ContainerStatus.of(event));
    }

    @Override
    public void onStartAsync(AsyncEvent event) {
      tell(event, AsyncListener::onStartAsync);
    }

    private void tell(AsyncEvent event, Call call) {
      for (Registered each : listeners) {
        try {
          call.on(
              each.listener,
              new AsyncEvent(
                  ExchangeAsyncContext.this, each.request, each.response, event.getThrowable()));
        } catch (IOException | RuntimeException | Error e) {
          // One broken listener must keep neither the others nor the store from knowing.
          LOG.log(System.Logger.Level.WARNING, "an AsyncListener failed", e);
        }
      }
    }
  }
}
