package dev.idempotency.servlet.containers;

import io.undertow.Handlers;
import io.undertow.Undertow;
import io.undertow.UndertowOptions;
import io.undertow.servlet.Servlets;
import io.undertow.servlet.api.DeploymentInfo;
import io.undertow.servlet.api.DeploymentManager;
import io.undertow.servlet.api.ErrorPage;
import io.undertow.servlet.api.FilterInfo;
import io.undertow.servlet.api.ServletInfo;
import io.undertow.servlet.util.ImmediateInstanceFactory;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServlet;
import java.net.InetSocketAddress;

/** Undertow. */
final class UndertowContainer implements Container {

  @Override
  public Running start(Deployment deployment) throws Exception {
    DeploymentInfo application =
        Servlets.deployment()
            .setClassLoader(getClass().getClassLoader())
            .setContextPath(deployment.contextPath().isEmpty() ? "/" : deployment.contextPath())
            .setDeploymentName("application");
    for (Mapped mapped : deployment.filters()) {
      Filter filter = mapped.filter();
      String name = "filter " + application.getFilters().size();
      application.addFilter(
          new FilterInfo(name, filter.getClass(), new ImmediateInstanceFactory<>(filter))
              .setAsyncSupported(true));
      for (DispatcherType type : mapped.types()) {
        application.addFilterUrlMapping(name, "/*", type);
      }
    }
    HttpServlet servlet = deployment.servlet();
    ServletInfo info =
        new ServletInfo("application", servlet.getClass(), new ImmediateInstanceFactory<>(servlet))
            .addMapping(deployment.pattern())
            .setAsyncSupported(true);
    Container.multipartConfigOf(servlet).ifPresent(info::setMultipartConfig);
    application.addServlet(info);
    deployment.errorPage().ifPresent(path -> application.addErrorPage(new ErrorPage(path, 500)));
    DeploymentManager manager = Servlets.newContainer().addDeployment(application);
    manager.deploy();
    Undertow server =
        Undertow.builder()
            .setServerOption(UndertowOptions.ENABLE_HTTP2, true)
            .setServerOption(UndertowOptions.ALLOW_ENCODED_SLASH, deployment.encodedSlashes())
            .addHttpListener(0, "127.0.0.1")
            .setHandler(
                Handlers.path()
                    .addPrefixPath(
                        deployment.contextPath().isEmpty() ? "/" : deployment.contextPath(),
                        manager.start()))
            .build();
    server.start();
    return new Running(
        ((InetSocketAddress) server.getListenerInfo().get(0).getAddress()).getPort(),
        () -> {
          server.stop();
          manager.stop();
          manager.undeploy();
        });
  }
}
