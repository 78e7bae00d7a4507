package dev.idempotency.servlet.apps.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.junit.jupiter.api.Test;

/** The guide's registration, by Boot's own initializer in a real Tomcat. */
class BootRegistrationTest {

  /** Answers in the second of two dispatches, as {@code Callable} and its like do. */
  private static final class Asynchronous extends HttpServlet {

    private static final long serialVersionUID = 1L;

    final AtomicInteger runs = new AtomicInteger();

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      if (request.getDispatcherType() == DispatcherType.REQUEST) {
        runs.incrementAndGet();
        request.startAsync().dispatch();
      } else {
        response.setStatus(201);
        response.getWriter().print("transfer " + runs.get());
      }
    }
  }

  @Test
  void registrationOfTheGuideGuardsAsynchronousControllers() throws Exception {
    Asynchronous servlet = new Asynchronous();
    Path directory = Files.createTempDirectory("tomcat-");
    Tomcat tomcat = new Tomcat();
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      tomcat.setBaseDir(directory.toString());
      tomcat.setPort(0);
      Context context = tomcat.addContext("", directory.toString());
      context.addServletContainerInitializer(
          (classes, container) -> new BootRegistration().idempotency(engine).onStartup(container),
          Set.of());
      Tomcat.addServlet(context, "application", servlet).setAsyncSupported(true);
      context.addServletMappingDecoded("/*", "application");
      tomcat.start();
      URI uri =
          URI.create("http://localhost:" + tomcat.getConnector().getLocalPort() + "/v1/transfers");

      HttpResponse<String> first = post(uri);
      HttpResponse<String> retry = post(uri);

      assertThat(first.statusCode()).isEqualTo(201);
      assertThat(first.body()).isEqualTo("transfer 1");
      assertThat(retry.statusCode()).isEqualTo(201);
      assertThat(retry.body()).isEqualTo("transfer 1");
      assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
      assertThat(servlet.runs).hasValue(1);
    } finally {
      tomcat.stop();
      tomcat.destroy();
    }
  }

  private static HttpResponse<String> post(URI uri) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(uri)
                .header("Idempotency-Key", "order-1")
                .POST(HttpRequest.BodyPublishers.noBody())
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }
}
