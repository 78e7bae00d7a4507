package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.security.authentication.TestingAuthenticationToken;
import org.springframework.security.authorization.AuthorizationDecision;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.security.web.DefaultSecurityFilterChain;
import org.springframework.security.web.FilterChainProxy;
import org.springframework.security.web.access.ExceptionTranslationFilter;
import org.springframework.security.web.access.intercept.AuthorizationFilter;
import org.springframework.security.web.authentication.AnonymousAuthenticationFilter;
import org.springframework.security.web.authentication.HttpStatusEntryPoint;
import org.springframework.security.web.context.RequestAttributeSecurityContextRepository;
import org.springframework.security.web.context.SecurityContextHolderFilter;
import org.springframework.security.web.savedrequest.NullRequestCache;
import org.springframework.security.web.util.matcher.AnyRequestMatcher;
import org.springframework.web.filter.OncePerRequestFilter;

/** A filter in front lets a request pass, and refuses it when it is dispatched again. */
class RefusedOnDispatchTest extends InCompany {

  /** Who refuses. */
  enum Refusal {
    BY_STATUS(401) {
      @Override
      Filter filter() {
        return onDispatch(response -> response.setStatus(401));
      }
    },
    BY_SEND_ERROR(403) {
      @Override
      Filter filter() {
        return onDispatch(response -> response.sendError(403));
      }
    },
    BY_BODY(401) {
      @Override
      Filter filter() {
        return onDispatch(
            response -> {
              response.setStatus(401);
              response.getWriter().print("who are you?");
            });
      }
    },
    BY_SPRING_SECURITY(401) {
      @Override
      Filter filter() {
        return springSecurity();
      }
    };

    private final int status;

    Refusal(int status) {
      this.status = status;
    }

    abstract Filter filter();
  }

  /** Answers a request instead of the application. */
  @FunctionalInterface
  private interface Refusing {
    void answer(HttpServletResponse response) throws IOException;
  }

  private static Filter onDispatch(Refusing refusing) {
    return (request, response, chain) -> {
      if (request.getDispatcherType() == DispatcherType.ASYNC) {
        refusing.answer((HttpServletResponse) response);
      } else {
        chain.doFilter(request, response);
      }
    };
  }

  /** As tutorials write it: skipped in asynchronous dispatches, and it saves no context. */
  private static final class JwtFilter extends OncePerRequestFilter {
    @Override
    protected void doFilterInternal(
        HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws ServletException, IOException {
      SecurityContextHolder.getContext()
          .setAuthentication(
              new TestingAuthenticationToken("ann", "", AuthorityUtils.NO_AUTHORITIES));
      chain.doFilter(request, response);
    }
  }

  private static Filter springSecurity() {
    return new FilterChainProxy(
        new DefaultSecurityFilterChain(
            AnyRequestMatcher.INSTANCE,
            new SecurityContextHolderFilter(new RequestAttributeSecurityContextRepository()),
            new JwtFilter(),
            new AnonymousAuthenticationFilter("key"),
            new ExceptionTranslationFilter(
                new HttpStatusEntryPoint(org.springframework.http.HttpStatus.UNAUTHORIZED),
                new NullRequestCache()),
            new AuthorizationFilter(
                (authentication, context) ->
                    new AuthorizationDecision("ann".equals(authentication.get().getName())))));
  }

  private final List<AsyncContext> held = Collections.synchronizedList(new ArrayList<>());

  @ParameterizedTest
  @EnumSource
  void aWaiterThatIsRefusedAtItsTurnFreesTheKeyAndGetsThatStatus(Refusal refusal) throws Exception {
    Company company =
        serve(
            List.of(Mapped.asDocumented(refusal.filter()), idempotency()),
            (request, response) -> {
              int run = runs.incrementAndGet();
              if (run == 1) {
                held.add(request.startAsync());
              } else {
                response.setStatus(201);
                response.getWriter().print("run " + run);
              }
            });
    CompletableFuture<?> first = company.send(WAITING, "k");
    until("the first one runs", () -> held.size() == 1);
    CompletableFuture<HttpResponse<String>> waiter = company.send(WAITING, "k");
    untilADuplicateWaits();
    ((HttpServletResponse) held.get(0).getResponse()).setStatus(429);
    held.get(0).complete();
    first.get();

    assertThat(waiter.get().statusCode()).isEqualTo(refusal.status);
    assertThat(waiter.get().headers().firstValue("Idempotent-Replayed")).isEmpty();
    // A retry that comes before the container has ended the refused one waits, and is refused too.
    until("a retry runs", () -> company.send(WAITING, "k").join().body().equals("run 2"));
    assertThat(runs).hasValue(2);
  }

  @ParameterizedTest
  @EnumSource
  void aHandlersOwnDispatchThatIsRefusedIsAnsweredAsWithoutTheFilter(Refusal refusal)
      throws Exception {
    Handler dispatching =
        (request, response) -> {
          runs.incrementAndGet();
          request.startAsync(request, response).dispatch();
        };
    Company control = serve(List.of(Mapped.asDocumented(refusal.filter())), dispatching);
    Company company =
        serve(List.of(Mapped.asDocumented(refusal.filter()), idempotency()), dispatching);

    HttpResponse<String> without = control.post(TRANSFERS, "k");
    assertThat(without.statusCode()).isEqualTo(refusal.status);
    HttpResponse<String> with = company.post(TRANSFERS, "k");
    assertThat(with.statusCode()).isEqualTo(refusal.status);
    // The container's page may name the port.
    assertThat(with.body().replaceAll(":\\d+/", ":port/"))
        .isEqualTo(without.body().replaceAll(":\\d+/", ":port/"));
    // The handler ran, and nobody knows what it did.
    assertEndsInDoubt(company, TRANSFERS);
    assertThat(runs).hasValue(2);
  }

  @Test
  void controlSpringSecurityLetsARequestPassThatIsNotDispatched() throws Exception {
    Company company =
        serve(List.of(Mapped.asDocumented(springSecurity()), idempotency()), counting());

    assertRunsOnce(company, TRANSFERS);
  }
}
