package dev.idempotency.servlet.containers;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.MultipartConfigElement;
import jakarta.servlet.annotation.MultipartConfig;
import jakarta.servlet.http.HttpServlet;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;

/** Starts a servlet container on a free port of the loopback interface. */
@FunctionalInterface
interface Container {

  EnumSet<DispatcherType> DISPATCHERS = EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC);

  /** The one of this run: the class path has only one version of the Servlet API. */
  static Container ofThisRun() {
    return switch (nameOfThisRun()) {
      case "Tomcat 10.1", "Tomcat 11" -> new TomcatContainer();
      case "Jetty 12" -> new JettyContainer();
      case "Undertow" -> new UndertowContainer();
      default -> throw new IllegalStateException("no such container: " + nameOfThisRun());
    };
  }

  /** As the table in the documentation names it. */
  static String nameOfThisRun() {
    return System.getProperty("container", "Tomcat 11");
  }

  /**
   * Starts it, with HTTP/1.1 and HTTP/2 without TLS on one port.
   *
   * @param filters in front of everything, for requests and asynchronous dispatches, in this order
   * @param servlet answers every path; its {@link MultipartConfig} annotation counts
   */
  Running start(List<Filter> filters, HttpServlet servlet) throws Exception;

  /** What a container that scans for annotations would find. */
  static Optional<MultipartConfigElement> multipartConfigOf(HttpServlet servlet) {
    return Optional.ofNullable(servlet.getClass().getAnnotation(MultipartConfig.class))
        .map(MultipartConfigElement::new);
  }

  /** A running container. */
  record Running(int port, AutoCloseable stop) {}
}
