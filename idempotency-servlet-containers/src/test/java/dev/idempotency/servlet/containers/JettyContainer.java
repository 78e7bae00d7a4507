package dev.idempotency.servlet.containers;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.ErrorPageErrorHandler;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.http2.server.HTTP2CServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/** Jetty 12, its EE 10 environment. */
final class JettyContainer implements Container {

  @Override
  public Running start(Deployment deployment) throws Exception {
    Server server = new Server();
    HttpConfiguration configuration = new HttpConfiguration();
    if (deployment.encodedSlashes()) {
      configuration.setUriCompliance(
          UriCompliance.from(
              EnumSet.of(
                  UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR,
                  UriCompliance.Violation.AMBIGUOUS_EMPTY_SEGMENT,
                  UriCompliance.Violation.AMBIGUOUS_PATH_PARAMETER)));
    }
    ServerConnector connector =
        new ServerConnector(
            server,
            new HttpConnectionFactory(configuration),
            new HTTP2CServerConnectionFactory(configuration));
    connector.setHost("127.0.0.1");
    server.addConnector(connector);
    ServletContextHandler context =
        new ServletContextHandler(
            deployment.contextPath().isEmpty() ? "/" : deployment.contextPath());
    for (Mapped mapped : deployment.filters()) {
      Filter filter = mapped.filter();
      FilterHolder holder = new FilterHolder(filter);
      holder.setAsyncSupported(true);
      context.addFilter(holder, "/*", mapped.types());
    }
    context.getServletHandler().setDecodeAmbiguousURIs(deployment.encodedSlashes());
    HttpServlet servlet = deployment.servlet();
    // Named, or the error page shows a name that is another one in each server.
    ServletHolder holder = new ServletHolder("application", servlet);
    holder.setAsyncSupported(true);
    Container.multipartConfigOf(servlet).ifPresent(holder.getRegistration()::setMultipartConfig);
    context.addServlet(holder, deployment.pattern());
    ErrorPageErrorHandler errors = new ErrorPageErrorHandler();
    deployment.errorPage().ifPresent(path -> errors.addErrorPage(500, path));
    context.setErrorHandler(errors);
    server.setHandler(context);
    server.start();
    return new Running(connector.getLocalPort(), server::stop);
  }
}
