package dev.idempotency.example.transfer;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/** The HTTP interface in an embedded Jetty. */
final class HttpEndpoint {

  private final Server server;
  private final ServerConnector connector;
  private final GracefulHandler requests;

  private HttpEndpoint(Server server, ServerConnector connector, GracefulHandler requests) {
    this.server = server;
    this.connector = connector;
    this.requests = requests;
  }

  /**
   * Starts to serve.
   *
   * @param idempotency stands before all servlets
   * @param drain how long {@link #stop} waits for requests that run
   */
  static HttpEndpoint start(
      String host, int port, Filter idempotency, Transfers transfers, Ledger ledger, Duration drain)
      throws Exception {
    QueuedThreadPool threads = new QueuedThreadPool();
    threads.setName("http");
    Server server = new Server(threads);
    HttpConfiguration http = new HttpConfiguration();
    http.setSendServerVersion(false);
    ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(http));
    connector.setHost(host);
    connector.setPort(port);
    server.addConnector(connector);
    GracefulHandler requests = new GracefulHandler(resources(idempotency, transfers, ledger));
    server.setHandler(requests);
    server.setErrorHandler(new ProblemErrorHandler(new JsonFormat()));
    server.setStopTimeout(drain.toMillis());
    try {
      server.start();
    } catch (Exception e) {
      server.stop();
      throw e;
    }
    return new HttpEndpoint(server, connector, requests);
  }

  private static ServletContextHandler resources(
      Filter idempotency, Transfers transfers, Ledger ledger) {
    JsonFormat json = new JsonFormat();
    ServletContextHandler context = new ServletContextHandler("/");
    FilterHolder filter = new FilterHolder(idempotency);
    filter.setAsyncSupported(true);
    context.addFilter(filter, "/*", EnumSet.of(DispatcherType.REQUEST));
    add(context, new TransfersServlet(json, transfers, ledger), TransfersServlet.PATH + "/*");
    add(context, new AccountsServlet(json, ledger), "/v1/accounts/*");
    add(context, new HealthServlet(json, ledger), "/healthz");
    context.setErrorHandler(new ProblemErrorHandler(json));
    return context;
  }

  private static void add(ServletContextHandler context, ApiServlet servlet, String path) {
    ServletHolder holder = new ServletHolder(servlet);
    holder.setAsyncSupported(true);
    context.addServlet(holder, path);
  }

  int port() {
    return connector.getLocalPort();
  }

  /** Stops accepting; answers what still comes on open connections with 503. */
  void refuseNew() {
    // Nobody waits for these two futures: stop() waits for the same things.
    var unused = List.of(connector.shutdown(), requests.shutdown());
  }

  /** Stops accepting, and waits for the requests that run; throws if they do not end in time. */
  void stop() throws Exception {
    server.stop();
  }
}
