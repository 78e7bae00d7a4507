package dev.idempotency.servlet.apps;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.MultipartConfigElement;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/** An application in a Tomcat of its own, with another filter in front of it or none. */
final class ApplicationServer implements AutoCloseable {

  /** Held, or their level is forgotten with them. */
  private static final List<Logger> LOGS =
      List.of(
          Logger.getLogger("org.apache"),
          Logger.getLogger("org.apache.catalina.core.ContainerBase.[Tomcat].[localhost].[/]"),
          Logger.getLogger("org.glassfish.jersey"));

  private static final String[] DISPATCHERS = {
    DispatcherType.REQUEST.name(), DispatcherType.ASYNC.name()
  };

  private final Tomcat tomcat = new Tomcat();
  private final HttpClient client = HttpClient.newHttpClient();

  ApplicationServer(List<Application.Mapped> inFront, Application application) throws Exception {
    Path directory = Files.createTempDirectory("tomcat-");
    tomcat.setBaseDir(directory.toString());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    Context context = tomcat.addContext("", directory.toString());
    LOGS.forEach(log -> log.setLevel(Level.OFF));
    inFront.forEach(filter -> add(context, filter));
    application.filters().forEach(filter -> add(context, filter));
    Wrapper wrapper = Tomcat.addServlet(context, "application", application.servlet());
    wrapper.setAsyncSupported(true);
    wrapper.setLoadOnStartup(1);
    if (application.parts()) {
      wrapper.setMultipartConfigElement(new MultipartConfigElement(directory.toString()));
    }
    context.addServletMappingDecoded(application.pattern(), "application");
    tomcat.start();
  }

  private static void add(Context context, Application.Mapped filter) {
    FilterDef definition = new FilterDef();
    definition.setFilterName("filter " + context.findFilterDefs().length);
    definition.setFilter(filter.filter());
    definition.setAsyncSupported("true");
    context.addFilterDef(definition);
    FilterMap mapping = new FilterMap();
    mapping.setFilterName(definition.getFilterName());
    mapping.addURLPattern(filter.pattern());
    for (String type : DISPATCHERS) {
      mapping.setDispatcher(type);
    }
    context.addFilterMap(mapping);
  }

  /** Sends it under this key, and waits for the whole answer. */
  HttpResponse<byte[]> send(Message message, String key) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create("http://" + authority() + message.path()))
            .method(message.method(), BodyPublishers.ofByteArray(message.body()))
            .header("Idempotency-Key", key)
            .timeout(Duration.ofSeconds(30));
    message.headers().forEach(request::header);
    return client.send(request.build(), BodyHandlers.ofByteArray());
  }

  /** As it stands in absolute addresses. */
  String authority() {
    return "127.0.0.1:" + tomcat.getConnector().getLocalPort();
  }

  @Override
  public void close() throws Exception {
    tomcat.stop();
    tomcat.destroy();
  }
}
