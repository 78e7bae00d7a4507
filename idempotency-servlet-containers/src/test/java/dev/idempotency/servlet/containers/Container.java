package dev.idempotency.servlet.containers;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import java.util.EnumSet;
import java.util.List;

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
   * @param servlet answers every path
   */
  Running start(List<Filter> filters, HttpServlet servlet) throws Exception;

  /** A running container. */
  record Running(int port, AutoCloseable stop) {}
}
