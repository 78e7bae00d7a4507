package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.context.annotation.AnnotatedBeanDefinitionReader;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.security.access.AccessDeniedException;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.DefaultSecurityFilterChain;
import org.springframework.security.web.FilterChainProxy;
import org.springframework.security.web.access.ExceptionTranslationFilter;
import org.springframework.security.web.authentication.HttpStatusEntryPoint;
import org.springframework.security.web.context.RequestAttributeSecurityContextRepository;
import org.springframework.security.web.context.SecurityContextHolderFilter;
import org.springframework.security.web.savedrequest.NullRequestCache;
import org.springframework.security.web.util.matcher.AnyRequestMatcher;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.support.GenericWebApplicationContext;
import org.springframework.web.filter.OncePerRequestFilter;
import org.springframework.web.servlet.DispatcherServlet;

/**
 * Spring Security's method security: a denial passes us as an exception, and is answered in front.
 */
class MethodSecurityTest extends InCompany {

  private static final String LATER = "/v1/later";

  /** Of whoever sends the next request; empty for nobody. */
  private volatile String role = "";

  private Company company;

  @EnableMethodSecurity
  static class Security {}

  @RestController
  static class Transfers {

    private final Runnable transfer;
    private final Teller teller;

    Transfers(Runnable transfer, Teller teller) {
      this.transfer = transfer;
      this.teller = teller;
    }

    @PreAuthorize("hasRole('TELLER')")
    @PostMapping(TRANSFERS)
    ResponseEntity<Void> transfer() {
      transfer.run();
      return ResponseEntity.status(HttpStatus.CREATED).build();
    }

    /** Denied on another thread, and thrown in the dispatch that ends it. */
    @PostMapping(LATER)
    Callable<ResponseEntity<Void>> later() {
      var caller = SecurityContextHolder.getContext().getAuthentication();
      return () -> {
        SecurityContextHolder.getContext().setAuthentication(caller);
        try {
          teller.transfer();
        } finally {
          SecurityContextHolder.clearContext();
        }
        return ResponseEntity.status(HttpStatus.CREATED).build();
      };
    }
  }

  static class Teller {

    private final Runnable transfer;

    Teller(Runnable transfer) {
      this.transfer = transfer;
    }

    @PreAuthorize("hasRole('TELLER')")
    void transfer() {
      transfer.run();
    }
  }

  private Filter springSecurity() {
    return new FilterChainProxy(
        new DefaultSecurityFilterChain(
            AnyRequestMatcher.INSTANCE,
            new SecurityContextHolderFilter(new RequestAttributeSecurityContextRepository()),
            new OncePerRequestFilter() {
              @Override
              protected void doFilterInternal(
                  HttpServletRequest request, HttpServletResponse response, FilterChain chain)
                  throws ServletException, IOException {
                if (!role.isEmpty()) {
                  SecurityContextHolder.getContext()
                      .setAuthentication(new TestingAuthenticationToken("ann", "", role));
                }
                chain.doFilter(request, response);
              }
            },
            new ExceptionTranslationFilter(
                new HttpStatusEntryPoint(HttpStatus.UNAUTHORIZED), new NullRequestCache())));
  }

  private DispatcherServlet application() {
    GenericWebApplicationContext context = new GenericWebApplicationContext();
    new AnnotatedBeanDefinitionReader(context)
        .register(Security.class, Transfers.class, Teller.class);
    context.registerBean(Runnable.class, () -> runs::incrementAndGet);
    return new DispatcherServlet(context);
  }

  @BeforeEach
  void serve() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(
                RoutePolicy.required()
                    .rejectInFlight()
                    .notExecuted(AccessDeniedException.class, AuthenticationException.class))
            .build();
    company =
        serve(
            Container.Deployment.of(
                    List.of(Mapped.asDocumented(springSecurity()), Mapped.asDocumented(filter)),
                    application())
                .at("/"));
  }

  @ParameterizedTest
  @CsvSource({
    TRANSFERS + ", ROLE_CLERK, 403",
    TRANSFERS + ", '', 401",
    LATER + ", ROLE_CLERK, 403",
    LATER + ", '', 401"
  })
  void aDenialFreesTheKeyAndTheRetryRunsOnceTheCallerMay(String path, String without, int status)
      throws Exception {
    role = without;
    HttpResponse<String> denied = company.post(path, "k");
    assertThat(denied.statusCode()).isEqualTo(status);
    assertThat(runs).hasValue(0);

    role = "ROLE_TELLER";
    HttpResponse<String> allowed = company.post(path, "k");
    assertThat(allowed.statusCode()).as(allowed.body()).isEqualTo(201);
    assertThat(allowed.headers().firstValue("Idempotent-Replayed")).isEmpty();
    HttpResponse<String> retry = company.post(path, "k");
    assertThat(retry.statusCode()).isEqualTo(201);
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(1);
  }
}
