package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertAll;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;

/**
 * Generated programs give the same answer, and observe the same, with a key as without one. A
 * program that fails is printed with its seed; {@code -Ddifferential.seed=N} runs it alone, and
 * {@code -Ddifferential.programs=N} says how many the long run has.
 */
class DifferentialTest {

  private static final String PROGRAM = "X-Program";
  private static final String RUN = "X-Run";

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final Map<String, Program.Observations> observed = new ConcurrentHashMap<>();
  private Container.Running running;

  @BeforeEach
  void start() throws Exception {
    IdempotencyFilter filter =
        IdempotencyFilter.builder(engine)
            .oneScopeForAllCallers()
            .everyRoute(RoutePolicy.optional())
            .build();
    running = Container.ofThisRun().start(List.of(new Front(), filter), new Interpreter());
  }

  @AfterEach
  void stop() throws Exception {
    running.stop().close();
    engine.close();
    store.close();
  }

  @Test
  @Timeout(120)
  void withAKeyAsWithoutOne() {
    Long only = Long.getLong("differential.seed");
    compare(only == null ? LongStream.range(0, 200) : LongStream.of(only));
  }

  /** Those that have a number below zero. */
  @Test
  @Timeout(120)
  void writtenProgramsWithAKeyAsWithoutOne() {
    compare(LongStream.range(-WrittenPrograms.count(), 0));
  }

  @Test
  @Tag("soak")
  void withAKeyAsWithoutOneForManyPrograms() {
    compare(LongStream.range(200, Long.getLong("differential.programs", 5_000)));
  }

  private void compare(LongStream seeds) {
    List<Executable> all = new ArrayList<>();
    seeds.forEach(seed -> all.add(() -> compare(seed)));
    assertAll(all);
  }

  private void compare(long seed) throws Exception {
    for (int attempt = 0; !compared(seed, attempt); attempt++) {
      assertThat(attempt).as("connections that broke for seed " + seed).isLessThan(5);
    }
  }

  /** False if a connection broke: a container may close one whose request was not read. */
  private boolean compared(long seed, int attempt) throws Exception {
    Program program = program(seed);
    String key = seed + "-" + attempt;
    Answer without = send(seed, program, "without", "");
    Answer with = send(seed, program, "with", key);
    if (without.status() == 0 || with.status() == 0) {
      return false;
    }
    String name = "seed " + seed + " on " + Container.nameOfThisRun() + "\n" + program;

    assertThat(with.observed()).as(name).isEqualTo(without.observed());
    assertThat(with.text(program)).as(name).isEqualTo(without.text(program));
    Answer replay = send(seed, program, "replay", key);
    if (replay.headers().containsKey("idempotent-replayed")) {
      assertThat(replay.status()).as(name).isEqualTo(with.status());
      // A container makes its error page anew, and the filter in front appends to every answer.
      String calls = program.toString();
      if (!calls.contains("append") && !calls.contains("send")) {
        assertThat(replay.body()).as(name).isEqualTo(with.body());
        if (with.headers().containsKey("content-type")) {
          assertThat(replay.contentType()).as(name).isEqualTo(with.contentType());
        }
      }
    }
    return true;
  }

  private record Answer(
      int status, Map<String, List<String>> headers, String body, List<String> observed) {

    /** Undertow puts a blank where it adds the charset itself. */
    String contentType() {
      return headers.getOrDefault("content-type", List.of()).toString().replace("; ", ";");
    }

    String text(Program program) {
      Map<String, List<String>> compared = new TreeMap<>(headers);
      if (Container.nameOfThisRun().equals("Undertow") && program.toString().contains("forward")) {
        // It flushes a wrapped response at the end of a forward, and closes its own.
        compared.keySet().removeAll(List.of("content-length", "transfer-encoding"));
      }
      compared
          .keySet()
          .removeAll(
              List.of("date", "idempotency-key-expires", "connection", "keep-alive", "expires"));
      compared.replaceAll(
          (name, values) ->
              name.equals("set-cookie")
                  ? values.stream()
                      .map(value -> value.replaceAll("(?i)(expires|JSESSIONID)=[^;]*", ""))
                      .toList()
                  : values);
      if (Container.nameOfThisRun().equals("Undertow") && program.toString().contains("reset")) {
        // It keeps cookies when a response is reset, against ServletResponse.reset.
        compared.remove("set-cookie");
      }
      // A container's page may show the stack trace, and that shows the filter.
      String page = body.replaceAll("(?s)<pre>.*?</pre>", "<pre/>");
      compared.computeIfPresent(
          "content-length", (name, value) -> page.length() < body.length() ? List.of() : value);
      String shown = page.length() > 2000 ? "hash " + page.hashCode() + " " + page.length() : page;
      return status + "\n" + compared + "\n" + shown;
    }
  }

  private Answer send(long seed, Program program, String run, String key) throws Exception {
    String id = seed + run;
    observed.put(id, new Program.Observations(program.async() && !run.equals("replay") ? 2 : 1));
    HttpRequest.Builder request =
        HttpRequest.newBuilder(
                URI.create(
                    "http://127.0.0.1:"
                        + running.port()
                        + "/main"
                        + (program.query().isEmpty() ? "" : "?" + program.query())))
            .timeout(Duration.ofSeconds(20))
            .header("Content-Type", program.contentType())
            .header(PROGRAM, Long.toString(seed))
            .header(RUN, id)
            .POST(HttpRequest.BodyPublishers.ofString(program.body()));
    if (!key.isEmpty()) {
      request.header("Idempotency-Key", key);
    }
    try {
      HttpResponse<byte[]> response =
          client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
      return new Answer(
          response.statusCode(),
          new TreeMap<>(response.headers().map()),
          new String(response.body(), ISO_8859_1),
          observed.get(id).lines());
    } catch (IOException e) {
      return new Answer(0, Map.of(), "", List.of());
    }
  }

  private final class Front implements Filter {
    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
        throws IOException, ServletException {
      HttpServletRequest http = (HttpServletRequest) request;
      HttpServletResponse answer = (HttpServletResponse) response;
      if (http.getDispatcherType() != DispatcherType.REQUEST) {
        chain.doFilter(request, response);
        return;
      }
      Program program = program(http);
      boolean replay = http.getHeader(RUN).endsWith("replay");
      Program.Observations seen =
          replay ? new Program.Observations(1) : observed.get(http.getHeader(RUN));
      try {
        seen.run(program.before(), http, answer);
        chain.doFilter(request, response);
        seen.run(program.after(), http, answer);
      } finally {
        observed.get(http.getHeader(RUN)).end();
      }
    }
  }

  private static Program program(HttpServletRequest request) {
    return program(Long.parseLong(request.getHeader(PROGRAM)));
  }

  private static Program program(long seed) {
    return seed < 0 ? WrittenPrograms.get((int) -seed - 1) : ProgramGenerator.of(seed);
  }

  /** Runs the program that a request names. */
  private final class Interpreter extends HttpServlet {
    private static final long serialVersionUID = 1L;

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response)
        throws ServletException, IOException {
      Program program = program(request);
      Program.Observations seen = observed.get(request.getHeader(RUN));
      if (request.getRequestURI().equals("/other")
          || request.getDispatcherType() == DispatcherType.INCLUDE) {
        response.setHeader("X-Other", "set");
        response.setStatus(203);
        if (!program.toString().contains("by the stream")) {
          response.getWriter().print("other " + request.getParameter("d"));
        } else {
          response.getOutputStream().write(("other " + request.getParameter("d")).getBytes(UTF_8));
        }
        return;
      }
      if (!program.async()) {
        seen.run(program.handler(), request, response);
        return;
      }
      AsyncContext async = request.startAsync();
      async.start(
          () -> {
            try {
              seen.run(program.handler(), request, response);
            } catch (IOException | ServletException | RuntimeException e) {
              seen.fail(e);
            }
            async.complete();
            seen.end();
          });
    }
  }
}
