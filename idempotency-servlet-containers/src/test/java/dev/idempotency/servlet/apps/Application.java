package dev.idempotency.servlet.apps;

import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import java.util.List;

/**
 * An application as its author deploys it.
 *
 * @param filters its own, in front of the servlet, in this order
 * @param servlet its framework's
 * @param pattern where the servlet is
 * @param parts whether the container parses multipart requests for it
 */
public record Application(
    List<Mapped> filters, HttpServlet servlet, String pattern, boolean parts) {

  /** A filter for requests and asynchronous dispatches to some paths. */
  public record Mapped(Filter filter, String pattern) {

    /** For every path. */
    public Mapped(Filter filter) {
      this(filter, "/*");
    }
  }
}
