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
interface Container {

  /** As the documentation says to register the filter. */
  EnumSet<DispatcherType> DISPATCHERS =
      EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.FORWARD);

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

  /** Starts it, with HTTP/1.1 and HTTP/2 without TLS on one port. */
  Running start(Deployment deployment) throws Exception;

  /**
   * One application.
   *
   * @param filters in front of everything, in this order
   * @param servlet its {@link MultipartConfig} annotation counts
   * @param pattern what the servlet answers
   * @param encodedSlashes whether the container accepts {@code %2F} in a path; none does by default
   * @param errorPage the path of the page for status 500
   * @param contextPath of the application; empty for the root
   */
  record Deployment(
      List<Mapped> filters,
      HttpServlet servlet,
      String pattern,
      boolean encodedSlashes,
      Optional<String> errorPage,
      String contextPath) {

    /** A servlet that answers every path, with the container's defaults. */
    static Deployment of(List<Mapped> filters, HttpServlet servlet) {
      return new Deployment(filters, servlet, "/*", false, Optional.empty(), "");
    }

    Deployment at(String other) {
      return new Deployment(filters, servlet, other, encodedSlashes, errorPage, contextPath);
    }

    Deployment withEncodedSlashes() {
      return new Deployment(filters, servlet, pattern, true, errorPage, contextPath);
    }

    Deployment in(String context) {
      return new Deployment(filters, servlet, pattern, encodedSlashes, errorPage, context);
    }

    Deployment withErrorPage(String path) {
      return new Deployment(
          filters, servlet, pattern, encodedSlashes, Optional.of(path), contextPath);
    }
  }

  /**
   * Starts it.
   *
   * @param filters in front of everything, in this order
   * @param servlet answers every path
   */
  default Running startMapped(List<Mapped> filters, HttpServlet servlet) throws Exception {
    return start(Deployment.of(filters, servlet));
  }

  /**
   * As {@link #startMapped}, with all filters for requests, forwards and asynchronous dispatches.
   */
  default Running start(List<Filter> filters, HttpServlet servlet) throws Exception {
    return startMapped(
        filters.stream().map(filter -> new Mapped(filter, DISPATCHERS)).toList(), servlet);
  }

  /** A filter for every path. */
  record Mapped(Filter filter, EnumSet<DispatcherType> types) {

    /** For requests alone, as Spring Boot registers a bean. */
    static Mapped forRequests(Filter filter) {
      return new Mapped(filter, EnumSet.of(DispatcherType.REQUEST));
    }

    /** As the documentation says. */
    static Mapped asDocumented(Filter filter) {
      return new Mapped(filter, DISPATCHERS);
    }
  }

  /** What a container that scans for annotations would find. */
  static Optional<MultipartConfigElement> multipartConfigOf(HttpServlet servlet) {
    return Optional.ofNullable(servlet.getClass().getAnnotation(MultipartConfig.class))
        .map(MultipartConfigElement::new);
  }

  /** A running container. */
  record Running(int port, AutoCloseable stop) {}
}
