package dev.idempotency.servlet.containers;

import jakarta.servlet.Filter;
import jakarta.servlet.annotation.MultipartConfig;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.PATCH;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.glassfish.jersey.server.ResourceConfig;
import org.glassfish.jersey.server.filter.HttpMethodOverrideFilter;
import org.glassfish.jersey.servlet.ServletContainer;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.PatchMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.support.GenericWebApplicationContext;
import org.springframework.web.filter.UrlHandlerFilter;
import org.springframework.web.servlet.DispatcherServlet;

/** What finds the handler of a request in an application, and so decides what a path means. */
enum Router {
  /** A servlet that is mapped to a prefix, whatever follows. */
  CONTAINER("/v1/transfers/*", List.of("/v1/transfers", "/v1/transfers/", "/v1/transfers/;x=1")) {
    @Override
    HttpServlet servlet(Consumer<String> operations) {
      return new Prefix(operations);
    }
  },
  SPRING_MVC("/", List.of("/v1/transfers", "/v1/transfers;x=1", "/v1/accounts/a%2Fb")) {
    @Override
    HttpServlet servlet(Consumer<String> operations) {
      return spring(operations);
    }
  },
  /** With the filter by which applications accept a slash at the end since Spring 6. */
  SPRING_MVC_WITH_LAST_SLASHES("/", List.of("/v1/transfers/", "/v1/accounts/a/")) {
    @Override
    List<Filter> filters() {
      return List.of(UrlHandlerFilter.trailingSlashHandler("/**").wrapRequest().build());
    }

    @Override
    HttpServlet servlet(Consumer<String> operations) {
      return spring(operations);
    }
  },
  JERSEY(
      "/*",
      List.of(
          "/v1/transfers",
          "/v1/transfers/",
          "/v1/transfers;x=1",
          "/v1/accounts/a%2Fb",
          "/v1/accounts/a;x=1")) {
    @Override
    HttpServlet servlet(Consumer<String> operations) {
      LOG.setLevel(Level.OFF);
      ResourceConfig config = new ResourceConfig(HttpMethodOverrideFilter.class);
      config.registerInstances(new JerseyTransfers(operations), new JerseyAccounts(operations));
      return new ServletContainer(config);
    }
  };

  /** Held, or its level is forgotten with it. */
  private static final Logger LOG = Logger.getLogger("org.glassfish.jersey");

  private final String pattern;
  private final List<String> routed;

  Router(String pattern, List<String> routed) {
    this.pattern = pattern;
    this.routed = routed;
  }

  /** A new one. It says which operation it runs, and answers with a success. */
  abstract HttpServlet servlet(Consumer<String> operations);

  /** Those of the application, behind the idempotency filter. */
  List<Filter> filters() {
    return List.of();
  }

  String pattern() {
    return pattern;
  }

  /** Paths that lead to a handler on each container, so that a test sees what it wants to see. */
  List<String> routed() {
    return routed;
  }

  private static HttpServlet spring(Consumer<String> operations) {
    GenericWebApplicationContext context = new GenericWebApplicationContext();
    context.registerBean(Controller.class, () -> new Controller(operations));
    return new Dispatcher(context);
  }

  /** Forms with parts too. */
  @MultipartConfig
  private static final class Dispatcher extends DispatcherServlet {
    private static final long serialVersionUID = 1L;

    Dispatcher(GenericWebApplicationContext context) {
      super(context);
    }
  }

  private static final class Prefix extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final transient Consumer<String> operations;

    Prefix(Consumer<String> operations) {
      this.operations = operations;
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) {
      operations.accept("POST transfers");
      response.setStatus(201);
    }
  }

  /** For Spring. */
  @RestController
  static final class Controller {
    private final Consumer<String> operations;

    Controller(Consumer<String> operations) {
      this.operations = operations;
    }

    @PostMapping("/v1/transfers")
    void transfer(HttpServletResponse response) {
      ran("POST transfers", response);
    }

    @PostMapping("/v1/accounts/{id}")
    void open(HttpServletResponse response) {
      ran("POST accounts", response);
    }

    @PatchMapping("/v1/accounts/{id}")
    void change(HttpServletResponse response) {
      ran("PATCH accounts", response);
    }

    @DeleteMapping("/v1/accounts/{id}")
    void close(HttpServletResponse response) {
      ran("DELETE accounts", response);
    }

    private void ran(String operation, HttpServletResponse response) {
      operations.accept(operation);
      response.setStatus(201);
    }
  }

  /** For Jersey. */
  @Path("/v1/transfers")
  public static final class JerseyTransfers {
    private final Consumer<String> operations;

    JerseyTransfers(Consumer<String> operations) {
      this.operations = operations;
    }

    /** Runs. */
    @POST
    public void transfer() {
      operations.accept("POST transfers");
    }
  }

  /** For Jersey. */
  @Path("/v1/accounts/{id}")
  public static final class JerseyAccounts {
    private final Consumer<String> operations;

    JerseyAccounts(Consumer<String> operations) {
      this.operations = operations;
    }

    /** Runs. */
    @POST
    public void open() {
      operations.accept("POST accounts");
    }

    /** Runs. */
    @PATCH
    public void change() {
      operations.accept("PATCH accounts");
    }

    /** Runs. */
    @DELETE
    public void close() {
      operations.accept("DELETE accounts");
    }
  }
}
