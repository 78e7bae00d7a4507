package dev.idempotency.servlet.containers;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.apache.catalina.Context;
import org.apache.catalina.Wrapper;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import org.apache.tomcat.util.descriptor.web.ErrorPage;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;

/** Tomcat, 10.1 or 11. */
final class TomcatContainer implements Container {

  /** Held, or its level is forgotten with it. */
  private static final Logger LOG = Logger.getLogger("org.apache");

  @Override
  public Running start(Deployment deployment) throws Exception {
    LOG.setLevel(Level.OFF);
    Path directory = Files.createTempDirectory("tomcat-");
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(directory.toString());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    tomcat.getConnector().addUpgradeProtocol(new Http2Protocol());
    if (deployment.encodedSlashes()) {
      tomcat.getConnector().setEncodedSolidusHandling("decode");
    }
    Context context = tomcat.addContext(deployment.contextPath(), directory.toString());
    for (Mapped mapped : deployment.filters()) {
      Filter filter = mapped.filter();
      FilterDef definition = new FilterDef();
      definition.setFilterName("filter " + context.findFilterDefs().length);
      definition.setFilter(filter);
      definition.setAsyncSupported("true");
      context.addFilterDef(definition);
      FilterMap mapping = new FilterMap();
      mapping.setFilterName(definition.getFilterName());
      mapping.addURLPattern("/*");
      for (DispatcherType type : mapped.types()) {
        mapping.setDispatcher(type.name());
      }
      context.addFilterMap(mapping);
    }
    HttpServlet servlet = deployment.servlet();
    Wrapper wrapper = Tomcat.addServlet(context, "application", servlet);
    wrapper.setAsyncSupported(true);
    Container.multipartConfigOf(servlet).ifPresent(wrapper::setMultipartConfigElement);
    context.addServletMappingDecoded(deployment.pattern(), "application");
    if (!deployment.pattern().equals("/*") && !deployment.pattern().equals("/")) {
      // As the web.xml of an installed Tomcat has it.
      Tomcat.addServlet(context, "default", new DefaultServlet());
      context.addServletMappingDecoded("/", "default");
    }
    deployment
        .errorPage()
        .ifPresent(
            path -> {
              ErrorPage page = new ErrorPage();
              page.setErrorCode(500);
              page.setLocation(path);
              context.addErrorPage(page);
            });
    tomcat.start();
    return new Running(
        tomcat.getConnector().getLocalPort(),
        () -> {
          tomcat.stop();
          tomcat.destroy();
        });
  }
}
