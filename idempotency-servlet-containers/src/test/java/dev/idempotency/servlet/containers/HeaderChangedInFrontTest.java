package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.net.http.HttpResponse;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Wrappers in front that change a header field by one of the two methods that read it. What the
 * application may read by either of them counts.
 */
class HeaderChangedInFrontTest extends InCompany {

  /** Shows a header field by one of two methods, as many do who know of one only. */
  private static HttpServletRequest showing(
      HttpServletRequest request, String by, String name, UnaryOperator<@Nullable String> change) {
    return new HttpServletRequestWrapper(request) {
      @Override
      public @Nullable String getHeader(String asked) {
        String value = super.getHeader(asked);
        return by.equals("getHeader") && asked.equalsIgnoreCase(name) ? change.apply(value) : value;
      }

      @Override
      public Enumeration<String> getHeaders(String asked) {
        if (!by.equals("getHeaders") || !asked.equalsIgnoreCase(name)) {
          return super.getHeaders(asked);
        }
        String value = change.apply(super.getHeader(asked));
        return value == null
            ? Collections.emptyEnumeration()
            : Collections.enumeration(List.of(value));
      }
    };
  }

  private Company serveShowing(String by, String field, UnaryOperator<@Nullable String> change)
      throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .scopeByHeader("X-Tenant")
            .route("POST", TRANSFERS, RoutePolicy.required().rejectInFlight())
            .build();
    return serve(
        List.of(
            Mapped.asDocumented(
                (ServletRequest request, ServletResponse response, FilterChain chain) ->
                    chain.doFilter(
                        showing((HttpServletRequest) request, by, field, change), response)),
            Mapped.asDocumented(filter)),
        counting());
  }

  @Test
  void aKeyThatAWrapperAddsByOneMethodCounts() throws Exception {
    for (String by : List.of("getHeader", "getHeaders")) {
      Company company = serveShowing(by, "Idempotency-Key", sent -> "of-the-filter");
      int before = runs.get();
      String first = company.post(TRANSFERS, null).body();
      assertThat(first).startsWith("run");
      assertThat(company.post(TRANSFERS, null).body()).isEqualTo(first);
      assertThat(runs.get() - before).isBetween(0, 1);
      assertThat(company.post(TRANSFERS, "of-the-client").body()).contains("key-ambiguous");
    }
    assertThat(runs).hasValue(1);
  }

  @Test
  void aKeyThatAWrapperHidesByOneMethodIsGuarded() throws Exception {
    for (String by : List.of("getHeader", "getHeaders")) {
      Company company = serveShowing(by, "Idempotency-Key", sent -> null);
      assertThat(company.post(TRANSFERS, "hidden").body()).isEqualTo("run 1 of a transfer");
      assertKeyIsRequired(company, TRANSFERS);
    }
  }

  @Test
  void callersThatAWrapperNamesByOneMethodDoNotMeet() throws Exception {
    for (String by : List.of("getHeader", "getHeaders")) {
      for (String tenant : List.of("ann", "bob")) {
        int before = runs.get();
        Company company = serveShowing(by, "X-Tenant", sent -> tenant + by);
        assertThat(company.post(TRANSFERS, "k").body())
            .isEqualTo("run " + (before + 1) + " of a transfer");
        HttpResponse<String> pretends =
            Routed.send(Routed.request(company, "POST", TRANSFERS).header("X-Tenant", "ann"), "k");
        assertThat(pretends.body()).contains("caller-unclear");
      }
    }
    assertThat(runs).hasValue(4);
  }
}
