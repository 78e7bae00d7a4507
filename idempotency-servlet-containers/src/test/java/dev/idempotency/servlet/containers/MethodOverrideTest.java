package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.Filter;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.web.filter.HiddenHttpMethodFilter;

/** Filters of frameworks that make another method of a POST. */
class MethodOverrideTest extends Routed {

  private static final String ACCOUNT = "/v1/accounts/7";

  /** Who replaces the method, and by what. */
  enum Replacement {
    SPRING_BEHIND_BY_FORM(Router.SPRING_MVC, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return form(company, "_method=" + method);
      }
    },
    SPRING_BEHIND_BY_FORM_IN_LOWER_CASE(Router.SPRING_MVC, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return form(company, "amount=1&_method=" + method.toLowerCase(java.util.Locale.ROOT));
      }
    },
    SPRING_BEHIND_BY_QUERY(Router.SPRING_MVC, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return request(company, "POST", ACCOUNT + "?%5Fmethod=" + method);
      }
    },
    SPRING_BEHIND_BY_FORM_WITH_PARTS(Router.SPRING_MVC, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        String part =
            "--limit\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\n"
                + method
                + "\r\n--limit--\r\n";
        return request(company, "POST", ACCOUNT)
            .header("Content-Type", "multipart/form-data; boundary=limit")
            .POST(BodyPublishers.ofString(part));
      }
    },
    SPRING_IN_FRONT(Router.SPRING_MVC, true) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return form(company, "_method=" + method);
      }
    },
    JERSEY_BY_HEADER(Router.JERSEY, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return request(company, "POST", ACCOUNT).header("X-HTTP-Method-Override", method);
      }
    },
    JERSEY_BY_QUERY(Router.JERSEY, false) {
      @Override
      HttpRequest.Builder post(Company company, String method) {
        return request(company, "POST", ACCOUNT + "?_method=" + method);
      }
    };

    private final Router router;
    private final boolean inFront;

    Replacement(Router router, boolean inFront) {
      this.router = router;
      this.inFront = inFront;
    }

    abstract HttpRequest.Builder post(Company company, String method);

    private static HttpRequest.Builder form(Company company, String form) {
      return request(company, "POST", ACCOUNT)
          .header("Content-Type", "application/x-www-form-urlencoded")
          .POST(BodyPublishers.ofString(form));
    }

    private List<Filter> spring(boolean front) {
      return router == Router.SPRING_MVC && inFront == front
          ? List.of(new HiddenHttpMethodFilter())
          : List.of();
    }

    List<Filter> filtersInFront() {
      return spring(true);
    }

    List<Filter> filtersBehind() {
      return spring(false);
    }
  }

  @ParameterizedTest
  @EnumSource
  void whatRunsAsAnotherMethodIsGuardedAsThat(Replacement replacement) throws Exception {
    Company company =
        serve(replacement.router, replacement.filtersInFront(), replacement.filtersBehind());

    for (String method : List.of("PATCH", "DELETE")) {
      HttpRequest.Builder request = replacement.post(company, method);
      sendAsControl(request);
      assertThat(operations).as("the control").containsExactly(method + " accounts");
      operations.clear();

      HttpResponse<String> refused = send(request, null);
      assertThat(operations).as(method + " without a key").isEmpty();
      assertThat(refused.statusCode()).isEqualTo(400);
      assertThat(refused.body()).contains("key-missing");
    }

    HttpResponse<String> patched = send(replacement.post(company, "PATCH"), "k");
    HttpResponse<String> retry = send(replacement.post(company, "PATCH"), "k");
    HttpResponse<String> deleted = send(replacement.post(company, "DELETE"), "k");
    assertThat(operations).as("with one key").containsExactly("PATCH accounts");
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(retry.statusCode()).isEqualTo(patched.statusCode());
    assertThat(deleted.statusCode()).as(deleted.body()).isEqualTo(422);
  }
}
