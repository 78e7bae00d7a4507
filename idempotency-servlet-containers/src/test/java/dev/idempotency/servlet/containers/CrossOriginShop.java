package dev.idempotency.servlet.containers;

import jakarta.servlet.http.HttpServlet;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerResponseContext;
import jakarta.ws.rs.container.ContainerResponseFilter;
import jakarta.ws.rs.core.Response;
import java.util.function.UnaryOperator;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.glassfish.jersey.server.ResourceConfig;
import org.glassfish.jersey.servlet.ServletContainer;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.CrossOrigin;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.support.GenericWebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;

/** Applications whose framework lets scripts of one origin see its answers. */
enum CrossOriginShop {
  /** By {@code @CrossOrigin}. */
  SPRING_MVC("/") {
    @Override
    HttpServlet servlet(UnaryOperator<String> run) {
      GenericWebApplicationContext context = new GenericWebApplicationContext();
      context.registerBean(Controller.class, () -> new Controller(run));
      return new DispatcherServlet(context);
    }
  },
  /** By a response filter. */
  JERSEY("/*") {
    @Override
    HttpServlet servlet(UnaryOperator<String> run) {
      LOG.setLevel(Level.OFF);
      ResourceConfig config = new ResourceConfig();
      config.registerInstances(new Transfers(run), new Waiting(run), new AllowedOrigin());
      return new ServletContainer(config);
    }
  };

  /** Whose scripts see the answers. */
  static final String ORIGIN = "https://shop.example";

  /** Held, or its level is forgotten with it. */
  private static final Logger LOG = Logger.getLogger("org.glassfish.jersey");

  private final String pattern;

  CrossOriginShop(String pattern) {
    this.pattern = pattern;
  }

  /**
   * A new one.
   *
   * @param run gets the body of each request that runs, and gives that of its answer
   */
  abstract HttpServlet servlet(UnaryOperator<String> run);

  String pattern() {
    return pattern;
  }

  /** For Spring. */
  @RestController
  @CrossOrigin(origins = CrossOriginShop.ORIGIN, allowCredentials = "true")
  static final class Controller {
    private final UnaryOperator<String> run;

    Controller(UnaryOperator<String> run) {
      this.run = run;
    }

    @PostMapping({InCompany.TRANSFERS, InCompany.WAITING})
    @ResponseStatus(HttpStatus.CREATED)
    String transfer(@RequestBody String body) {
      return run.apply(body);
    }
  }

  private static Response created(String body) {
    return Response.status(201).type("text/plain").entity(body).build();
  }

  /** For Jersey. */
  @Path(InCompany.TRANSFERS)
  public static final class Transfers {
    private final UnaryOperator<String> run;

    Transfers(UnaryOperator<String> run) {
      this.run = run;
    }

    /** Runs. */
    @POST
    public Response transfer(String body) {
      return created(run.apply(body));
    }
  }

  /** For Jersey. */
  @Path(InCompany.WAITING)
  public static final class Waiting {
    private final UnaryOperator<String> run;

    Waiting(UnaryOperator<String> run) {
      this.run = run;
    }

    /** Runs. */
    @POST
    public Response transfer(String body) {
      return created(run.apply(body));
    }
  }

  /** As tutorials have it. */
  private record AllowedOrigin() implements ContainerResponseFilter {
    @Override
    public void filter(ContainerRequestContext request, ContainerResponseContext response) {
      if (ORIGIN.equals(request.getHeaderString("Origin"))) {
        response.getHeaders().putSingle("Access-Control-Allow-Origin", ORIGIN);
        response.getHeaders().putSingle("Access-Control-Allow-Credentials", "true");
        response.getHeaders().putSingle("Access-Control-Allow-Headers", "Idempotency-Key");
      }
    }
  }
}
