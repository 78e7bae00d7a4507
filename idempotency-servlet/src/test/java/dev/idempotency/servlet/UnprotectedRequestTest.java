package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.FilterChain;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Proxy;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the filter does not protect costs no more than the look at it: not one byte is allocated.
 */
class UnprotectedRequestTest {

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private static final int CALLS = 100;

  private final InMemoryIdempotencyStore store = InMemoryIdempotencyStore.create();
  private final IdempotencyEngine engine =
      IdempotencyEngine.create(store, IdempotencyConfig.defaults());
  private final IdempotencyFilter filter =
      IdempotencyFilter.builder(engine)
          .oneScopeForAllCallers()
          .route("POST", "/v1/*/refunds/**", RoutePolicy.required())
          .route("POST", "/internal/**", RoutePolicy.off())
          .route("*", "/v1/transfers", RoutePolicy.required())
          .route("DELETE", "/**", RoutePolicy.required())
          .build();

  @AfterEach
  void stop() {
    engine.close();
    store.close();
  }

  @ParameterizedTest
  @CsvSource({
    "GET, /v1/transfers, ",
    "HEAD, /v1/transfers, ",
    "OPTIONS, /v1, /transfers",
    "POST, /internal, /deep/er",
    "POST, '', /internal/x",
    "PUT, /v1/other, ",
    "POST, /v1/a, /not/refunds",
    "PATCH, /v1/accounts, /7",
  })
  void aRequestWithoutAKeyThatNeedsNoneAllocatesNothing(String method, String path, String info)
      throws Exception {
    assertThat(allocatedBy(new Request(method, path, info))).isZero();
  }

  @Test
  void evenAKeyCostsNothingWhereTheFilterIsOff() throws Exception {
    Request request = new Request("POST", "/internal", "/x");
    request.key = "k";
    assertThat(allocatedBy(request)).isZero();
  }

  @Test
  void controlARequestThatIsLookedAtAllocates() throws Exception {
    Request request = new Request("POST", "/v1", "/x/refunds");
    // A malformed key, so that nothing but the filter is reached.
    request.key = "a b";
    assertThat(allocatedBy(request)).isPositive();
  }

  private long allocatedBy(Request request) throws Exception {
    Response response = new Response();
    FilterChain end = (passed, answer) -> {};
    // The machine allocates now and then for itself; what the filter allocates is there each time.
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 10; round++) {
      long before = THREADS.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        filter.doFilter(request, response, end);
      }
      least = Math.min(least, THREADS.getCurrentThreadAllocatedBytes() - before);
    }
    return least;
  }

  /** Answers only what it is asked here; anything else fails. */
  static <T> T nothing(Class<T> type) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              throw new UnsupportedOperationException(method.getName());
            }));
  }

  static final class Request extends HttpServletRequestWrapper {
    private final String method;
    private final String path;
    private final String info;
    private final String uri;
    private String key;

    Request(String method, String path, String info) {
      super(nothing(HttpServletRequest.class));
      this.method = method;
      this.path = path;
      this.info = info;
      this.uri = "/app" + path + (info == null ? "" : info);
    }

    @Override
    public String getContextPath() {
      return "/app";
    }

    @Override
    public String getRequestURI() {
      return uri;
    }

    @Override
    public String getQueryString() {
      return null;
    }

    @Override
    public String getContentType() {
      return null;
    }

    @Override
    public String getMethod() {
      return method;
    }

    @Override
    public String getServletPath() {
      return path;
    }

    @Override
    public String getPathInfo() {
      return info;
    }

    @Override
    public DispatcherType getDispatcherType() {
      return DispatcherType.REQUEST;
    }

    @Override
    public Object getAttribute(String name) {
      return null;
    }

    @Override
    public String getHeader(String name) {
      return name.equals("Idempotency-Key") ? key : null;
    }

    @Override
    public java.util.Enumeration<String> getHeaders(String name) {
      String value = getHeader(name);
      return value == null
          ? java.util.Collections.emptyEnumeration()
          : java.util.Collections.enumeration(java.util.List.of(value));
    }

    @Override
    public String getProtocol() {
      return "HTTP/2.0";
    }

    @Override
    public long getContentLengthLong() {
      return Long.MAX_VALUE;
    }
  }

  private static final class Response extends HttpServletResponseWrapper {
    Response() {
      super(nothing(HttpServletResponse.class));
    }

    @Override
    public void setStatus(int status) {}

    @Override
    public int getStatus() {
      return 204;
    }

    @Override
    public void setHeader(String name, String value) {}

    @Override
    public void addHeader(String name, String value) {}

    @Override
    public void setContentType(String type) {}
  }
}
