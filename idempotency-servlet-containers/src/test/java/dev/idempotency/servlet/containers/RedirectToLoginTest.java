package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.context.annotation.AnnotatedBeanDefinitionReader;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.support.GenericWebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;
import org.springframework.web.servlet.HandlerInterceptor;
import org.springframework.web.servlet.config.annotation.EnableWebMvc;
import org.springframework.web.servlet.config.annotation.InterceptorRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** An interceptor of Spring MVC sends a caller without a session to the login. */
class RedirectToLoginTest extends InCompany {

  private volatile boolean loggedIn;
  private volatile String login;

  @EnableWebMvc
  static class Mvc implements WebMvcConfigurer {
    private final HandlerInterceptor interceptor;

    Mvc(HandlerInterceptor interceptor) {
      this.interceptor = interceptor;
    }

    @Override
    public void addInterceptors(InterceptorRegistry registry) {
      registry.addInterceptor(interceptor);
    }
  }

  @RestController
  static class Transfers {
    private final Runnable transfer;

    Transfers(Runnable transfer) {
      this.transfer = transfer;
    }

    @PostMapping(TRANSFERS)
    @ResponseStatus(HttpStatus.CREATED)
    void transfer() {
      transfer.run();
    }
  }

  private final class Session implements HandlerInterceptor {
    @Override
    public boolean preHandle(
        HttpServletRequest request, HttpServletResponse response, Object handler)
        throws IOException {
      if (!loggedIn) {
        response.sendRedirect(login);
      }
      return loggedIn;
    }
  }

  private DispatcherServlet application() {
    GenericWebApplicationContext context = new GenericWebApplicationContext();
    context.registerBean(Mvc.class, () -> new Mvc(new Session()));
    context.registerBean(Transfers.class, () -> new Transfers(runs::incrementAndGet));
    new AnnotatedBeanDefinitionReader(context);
    return new DispatcherServlet(context);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/login",
        "/login?next=%2Fv1%2Ftransfers",
        "/oauth2/authorization/google",
        "https://sso.example/auth/realms/x"
      })
  void theKeyIsFreeAndRunsOnceTheCallerHasLoggedIn(String location) throws Exception {
    login = location;
    Company company = serve(Container.Deployment.of(List.of(idempotency()), application()).at("/"));

    HttpResponse<String> sentAway = company.post(TRANSFERS, "k");
    assertThat(sentAway.statusCode()).isEqualTo(302);
    assertThat(sentAway.headers().firstValue("Location").orElseThrow()).endsWith(location);
    assertThat(company.post(TRANSFERS, "k").headers().firstValue("Idempotent-Replayed")).isEmpty();

    loggedIn = true;
    assertThat(company.post(TRANSFERS, "k").statusCode()).isEqualTo(201);
    loggedIn = false;
    HttpResponse<String> retry = company.post(TRANSFERS, "k");
    assertThat(retry.statusCode()).isEqualTo(201);
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    assertThat(runs).hasValue(1);
  }
}
