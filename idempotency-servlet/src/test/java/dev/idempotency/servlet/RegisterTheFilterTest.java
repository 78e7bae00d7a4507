package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import java.util.EnumSet;
import org.eclipse.jetty.ee10.servlet.FilterHolder;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.junit.jupiter.api.Test;

/** The README's way of use; what stands between the marks is quoted there. */
class RegisterTheFilterTest {

  @Test
  void theFilterIsRegisteredInAFewLines() throws Exception {
    ServletContextHandler context = new ServletContextHandler("/");
    try (InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
      // README: register the filter
      IdempotencyFilter filter =
          IdempotencyFilter.builder(engine)
              .scopeByPrincipal()
              .route("POST", "/v1/transfers", RoutePolicy.required())
              .build();
      FilterHolder holder = new FilterHolder(filter);
      holder.setAsyncSupported(true);
      context.addFilter(
          holder,
          "/*",
          EnumSet.of(DispatcherType.REQUEST, DispatcherType.ASYNC, DispatcherType.FORWARD));
      // README: end

      context.start();
      assertThat(holder.getFilter()).isSameAs(filter);
      context.stop();
    }
  }
}
