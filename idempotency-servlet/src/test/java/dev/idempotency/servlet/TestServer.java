package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.Principal;
import java.util.EnumSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/** A handler behind the filter in a real container, and a client. */
final class TestServer implements AutoCloseable {

  /** Stands for the container's authentication. */
  static final String USER = "X-Test-User";

  private final Server server;
  private volatile ServletResponse outermost;
  private volatile Throwable thrown;
  private final HttpClient client = HttpClient.newHttpClient();

  @FunctionalInterface
  interface Handler {
    void handle(HttpServletRequest request, HttpServletResponse response)
        throws IOException, ServletException;
  }

  TestServer(Filter filter, Handler handler) throws Exception {
    this(filter, handler, EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC), 100);
  }

  TestServer(Filter filter, Handler handler, EnumSet<DispatcherType> dispatchers, int threads)
      throws Exception {
    this(filter, handler, dispatchers, threads, context -> {});
  }

  /**
   * A server.
   *
   * @param more is given the context before it starts; its only servlet is the handler's
   */
  TestServer(
      Filter filter,
      Handler handler,
      EnumSet<DispatcherType> dispatchers,
      int threads,
      Consumer<ServletContextHandler> more)
      throws Exception {
    server = new Server(new QueuedThreadPool(threads));
    ServerConnector connector = new ServerConnector(server, 1, 1);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler("/app");
    FilterHolder users = new FilterHolder(this::authenticate);
    users.setAsyncSupported(true);
    context.addFilter(users, "/*", EnumSet.of(DispatcherType.REQUEST));
    FilterHolder holder = new FilterHolder(filter);
    holder.setAsyncSupported(true);
    context.addFilter(holder, "/*", dispatchers);
    ServletHolder servlet = new ServletHolder(new HandlerServlet(handler));
    servlet.setAsyncSupported(true);
    context.addServlet(servlet, "/*");
    more.accept(context);
    server.setHandler(context);
    server.start();
  }

  /** A filter for tests to which neither callers nor routes matter. */
  static IdempotencyFilterBuilder everything(IdempotencyEngine engine) {
    return IdempotencyFilter.builder(engine)
        .oneScopeForAllCallers()
        .everyRoute(RoutePolicy.optional());
  }

  private void authenticate(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    outermost = response;
    String user = ((HttpServletRequest) request).getHeader(USER);
    ServletRequest asked =
        user == null
            ? request
            : new HttpServletRequestWrapper((HttpServletRequest) request) {
              @Override
              public Principal getUserPrincipal() {
                return () -> user;
              }
            };
    try {
      chain.doFilter(asked, response);
    } catch (IOException | ServletException | RuntimeException | Error e) {
      thrown = e;
      throw e;
    }
  }

  private static final class HandlerServlet extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient Handler handler;

    HandlerServlet(Handler handler) {
      this.handler = handler;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      handler.handle(request, response);
    }
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(server.getURI().resolve("/app" + path));
  }

  HttpRequest.Builder post(String body, String... headers) {
    HttpRequest.Builder request =
        request("/v1/transfers").POST(HttpRequest.BodyPublishers.ofString(body));
    return headers.length == 0 ? request : request.headers(headers);
  }

  HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  CompletableFuture<HttpResponse<String>> sendAsync(HttpRequest.Builder request) {
    return client.sendAsync(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** POST with a key. */
  HttpResponse<String> post(String body, String key) throws Exception {
    return send(post(body, "Idempotency-Key", key));
  }

  /** What the filter let out last. */
  Throwable thrown() {
    return thrown;
  }

  /** Whether the latest request's answer is on its way to the client. */
  boolean hasSent() {
    try {
      return outermost.isCommitted();
    } catch (IllegalStateException recycled) {
      return true;
    }
  }

  /**
   * Opens a port that speaks HTTP/2 in the clear.
   *
   * @param streams that one connection may have open
   */
  URI openHttp2(int streams) throws Exception {
    HttpConfiguration config = new HttpConfiguration();
    HTTP2CServerConnectionFactory http2 = new HTTP2CServerConnectionFactory(config);
    http2.setMaxConcurrentStreams(streams);
    ServerConnector connector =
        new ServerConnector(server, 1, 1, new HttpConnectionFactory(config), http2);
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    connector.start();
    return URI.create("http://127.0.0.1:" + connector.getLocalPort() + "/app");
  }

  URI uri() {
    return server.getURI();
  }

  @Override
  public void close() throws Exception {
    server.stop();
  }
}
