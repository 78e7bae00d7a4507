package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A filter rewrites a path with a forward, so that we see the request as FORWARD. */
class ForwardedInFrontTest extends InCompany {

  private static final String LEGACY = "/legacy/transfers";
  private static final EnumSet<DispatcherType> ALL = EnumSet.allOf(DispatcherType.class);

  /** As UrlRewriteFilter does. */
  private static final class Rewriting extends HttpFilter {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doFilter(
        HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      if (request.getRequestURI().equals(LEGACY)) {
        request.getRequestDispatcher(TRANSFERS).forward(request, response);
      } else {
        chain.doFilter(request, response);
      }
    }
  }

  private static Mapped rewriting() {
    return Mapped.forRequests(new Rewriting());
  }

  @Test
  void whatIsForwardedInFrontIsGuarded() throws Exception {
    Company company = serve(List.of(rewriting(), idempotency()), counting());

    assertKeyIsRequired(company, LEGACY);
    assertRunsOnce(company, LEGACY);
  }

  @Test
  void whatIsForwardedBehindUsToAGuardedPathIsGuarded() throws Exception {
    Company company = serve(List.of(idempotency(), rewriting()), counting());

    assertKeyIsRequired(company, LEGACY);
    assertRunsOnce(company, LEGACY);
  }

  @Test
  void controlWithoutTheFilterItRunsEachTime() throws Exception {
    assertRunsEachTime(serve(List.of(rewriting()), counting()), LEGACY);
  }

  /** The other paths of the forwarding request keep their own answers. */
  @Test
  void aForwardInsideAGuardedRequestIsClaimedOnce() throws Exception {
    Company company =
        serve(
            List.of(new Mapped(filter(), ALL)),
            (request, response) -> {
              if (request.getDispatcherType() == DispatcherType.REQUEST) {
                request.getRequestDispatcher(WAITING).forward(request, response);
              } else {
                assertThat(IdempotencyFilter.execution(request)).isPresent();
                counting().handle(request, response);
              }
            });

    assertRunsOnce(company, TRANSFERS);
  }

  @Test
  void anIncludeInsideAGuardedRequestIsPartOfIt() throws Exception {
    Company company =
        serve(
            List.of(new Mapped(filter(), ALL)),
            (request, response) -> {
              if (request.getDispatcherType() == DispatcherType.INCLUDE) {
                counting().handle(request, response);
              } else {
                response.setStatus(201);
                request.getRequestDispatcher(WAITING).include(request, response);
              }
            });

    assertRunsOnce(company, TRANSFERS);
  }

  /** As Spring Boot's ErrorPageFilter does in a servlet container that is not its own. */
  private static final class ErrorPages extends HttpFilter {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doFilter(
        HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      try {
        chain.doFilter(request, response);
      } catch (IllegalStateException e) {
        response.reset();
        response.setStatus(500);
        request.setAttribute(RequestDispatcher.ERROR_STATUS_CODE, 500);
        request.setAttribute(RequestDispatcher.ERROR_REQUEST_URI, request.getRequestURI());
        request.getRequestDispatcher(WAITING + "?page").forward(request, response);
      }
    }
  }

  @Test
  void aForwardToAnErrorPageIsNotGuarded() throws Exception {
    Company company =
        serve(
            List.of(Mapped.forRequests(new ErrorPages()), new Mapped(filter(), ALL)),
            (request, response) -> {
              if (Optional.ofNullable(request.getQueryString()).orElse("").equals("page")) {
                response
                    .getWriter()
                    .print(
                        "the page for "
                            + request.getAttribute(RequestDispatcher.ERROR_STATUS_CODE));
              } else {
                runs.incrementAndGet();
                throw new IllegalStateException("made up");
              }
            });

    var failed = company.post(TRANSFERS, "k");
    assertThat(failed.statusCode()).isEqualTo(500);
    assertThat(failed.body()).isEqualTo("the page for 500");
    assertThat(company.post(TRANSFERS, "k").body()).contains("outcome-unknown");
    assertThat(runs).hasValue(1);
  }
}
