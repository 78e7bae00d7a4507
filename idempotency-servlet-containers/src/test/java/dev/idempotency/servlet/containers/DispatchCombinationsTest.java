package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.containers.Container.Mapped;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.IOException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

/**
 * Each way on which filters in front can bring a request to us, with each way in which a handler
 * can answer it. Where the application answers without our filter, it answers alike behind it, and
 * once for a key.
 */
class DispatchCombinationsTest extends InCompany {

  private static final String IN_FRONT = "X-In-Front";
  private static final String HANDLER = "X-Handler";
  private static final String OFF = "/off/entry";

  /**
   * What filters in front do with a request, one after the other; the last one lets it pass. A
   * filter that calls its chain on another thread has to wait for it: Tomcat clears the chain when
   * the filter returns.
   */
  private static final List<String> WAYS =
      List.of(
          "pass",
          "suspend",
          "suspendWrapped",
          "suspend suspend",
          "suspendWrapped suspendWrapped",
          "suspendTo",
          "suspendTo suspend",
          "suspend suspendTo",
          "forward",
          "forwardWrapped",
          "forward forward",
          "suspend forward",
          "suspendWrapped forward",
          "suspend suspend forwardWrapped",
          "suspendTo forward",
          "forward suspend",
          "forward suspendWrapped",
          "forwardWrapped suspendTo",
          "wrap suspend",
          "wrap suspendWrapped forward",
          "otherThreadAndWait",
          "otherThreadAndWait suspend",
          "forward otherThreadAndWait");

  private static final List<String> HANDLERS =
      List.of(
          "answer",
          "complete",
          "dispatch",
          "forward",
          "include",
          "dispatchThenComplete",
          "dispatchTo");

  /** A container may bring it back to the path that the client asked for, which is not guarded. */
  private volatile String ranAt = "";

  /** Takes the next step of the way that the request names. */
  private static final class InFront extends HttpFilter {
    private static final long serialVersionUID = 1L;

    @Override
    protected void doFilter(
        HttpServletRequest request, HttpServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      String way = request.getHeader(IN_FRONT);
      int step = request.getAttribute("step") instanceof Integer done ? done : 0;
      String[] steps = way == null ? new String[0] : way.split(" ");
      if (step >= steps.length) {
        chain.doFilter(request, response);
        return;
      }
      request.setAttribute("step", step + 1);
      HttpServletRequest wrapped = new HttpServletRequestWrapper(request);
      HttpServletResponse around = new HttpServletResponseWrapper(response);
      switch (steps[step]) {
        case "wrap" -> doFilter(wrapped, around, chain);
        case "suspend" -> request.startAsync().dispatch();
        case "suspendTo" -> request.startAsync().dispatch(TRANSFERS);
        case "otherThreadAndWait" -> {
          CountDownLatch done = new CountDownLatch(1);
          goOn(request, response, chain, done::countDown);
          await(done);
        }
        case "suspendWrapped" -> wrapped.startAsync(wrapped, around).dispatch();
        case "forward" -> request.getRequestDispatcher(TRANSFERS).forward(request, response);
        case "forwardWrapped" -> wrapped.getRequestDispatcher(TRANSFERS).forward(wrapped, around);
        default -> chain.doFilter(request, response);
      }
    }

    private void goOn(
        HttpServletRequest request, HttpServletResponse response, FilterChain chain, Runnable end) {
      Thread worker =
          new Thread(
              () -> {
                try {
                  doFilter(request, response, chain);
                } catch (IOException | ServletException e) {
                  throw new IllegalStateException(e);
                } finally {
                  end.run();
                }
              });
      worker.setUncaughtExceptionHandler((thread, failure) -> {});
      worker.start();
    }
  }

  private static void await(CountDownLatch done) {
    try {
      assertThat(done.await(20, SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void handle(HttpServletRequest request, HttpServletResponse response)
      throws IOException, ServletException {
    String handler = request.getHeader(HANDLER);
    if (request.getAttribute("run") == null) {
      request.setAttribute("run", runs.incrementAndGet());
      ranAt = request.getServletPath() + Objects.toString(request.getPathInfo(), "");
      String body = new String(request.getInputStream().readAllBytes(), UTF_8);
      request.setAttribute("body", body);
      switch (handler) {
        case "complete" -> complete(request);
        case "dispatchTo" -> request.startAsync().dispatch("/inner");
        case "dispatch", "dispatchThenComplete" -> request.startAsync().dispatch();
        case "forward" -> request.getRequestDispatcher("/inner").forward(request, response);
        case "include" -> {
          response.setStatus(201);
          request.getRequestDispatcher("/inner").include(request, response);
        }
        default -> answer(request, response);
      }
    } else if (handler.equals("dispatchThenComplete")) {
      complete(request);
    } else {
      answer(request, response);
    }
  }

  private static void complete(HttpServletRequest request) {
    AsyncContext context = request.startAsync();
    Thread worker =
        new Thread(
            () -> {
              try {
                answer(request, (HttpServletResponse) context.getResponse());
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
              context.complete();
            });
    worker.start();
  }

  private static void answer(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (request.getDispatcherType() != DispatcherType.INCLUDE) {
      response.setStatus(201);
    }
    response.getWriter().print("run of " + request.getAttribute("body"));
  }

  private static HttpRequest.Builder request(Company company, String way, String handler) {
    boolean named = way.contains("forward") || way.contains("To");
    return Routed.request(company, "POST", named ? OFF : TRANSFERS)
        .headers(IN_FRONT, way, HANDLER, handler)
        .POST(BodyPublishers.ofString("a body"));
  }

  @Test
  void whateverBringsARequestToUsItRunsOnceForItsKey() throws Exception {
    Company without = serve(List.of(Mapped.asDocumented(new InFront())), this::handle);
    Company with = serve(List.of(Mapped.asDocumented(new InFront()), idempotency()), this::handle);
    List<String> answered = new ArrayList<>();
    List<String> wrong = new ArrayList<>();
    for (String way : WAYS) {
      for (String handler : HANDLERS) {
        String name = way + ", " + handler;
        HttpResponse<String> control = Routed.send(request(without, way, handler), null);
        if (runs.getAndSet(0) != 1 || control.statusCode() != 201 || !ranAt.equals(TRANSFERS)) {
          continue;
        }
        answered.add(name);
        check(name, request(with, way, handler), control, wrong);
      }
    }
    assertThat(wrong).isEmpty();
    assertThat(answered).hasSizeGreaterThan(WAYS.size() * HANDLERS.size() / 2);
  }

  private void check(
      String name, HttpRequest.Builder request, HttpResponse<String> control, List<String> wrong)
      throws Exception {
    String key = name.replaceAll("[^a-zA-Z]", "_");
    HttpResponse<String> refused = Routed.send(request, null);
    if (runs.getAndSet(0) != 0 || refused.statusCode() != 400) {
      wrong.add(name + ": without a key " + refused.statusCode());
    }
    HttpResponse<String> first = Routed.send(request, key);
    HttpResponse<String> retry = Routed.send(request, key);
    int ran = runs.getAndSet(0);
    if (ran != 1) {
      wrong.add(name + ": ran " + ran + " times");
    }
    for (HttpResponse<String> each : List.of(first, retry)) {
      if (each.statusCode() != control.statusCode() || !each.body().equals(control.body())) {
        wrong.add(name + ": " + each.statusCode() + " " + each.body());
      }
    }
  }
}
