package dev.idempotency.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hc.client5.http.ClientProtocolException;
import org.apache.hc.client5.http.classic.ExecChain;
import org.apache.hc.client5.http.classic.ExecChainHandler;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.HttpClientBuilder;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.ClassicHttpResponse;
import org.apache.hc.core5.http.Header;
import org.apache.hc.core5.http.HttpEntity;
import org.apache.hc.core5.http.HttpException;
import org.apache.hc.core5.http.io.entity.HttpEntityWrapper;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.apache.hc.core5.util.Timeout;
import org.jspecify.annotations.Nullable;

/**
 * The retries of {@link RetryingHttpClient} for Apache HttpClient 5, its classic API.
 *
 * <p>The request's header {@code Idempotency-Key} is its key; without one only a safe request is
 * tried again. What has no result ends with an {@link OutcomeUnknownException}, {@link
 * NotExecutedException} or {@link KeyExpiredException}. Attempts run on the caller's thread. Needs
 * {@code httpclient5}. Thread-safe.
 */
public final class ApacheRetries implements ExecChainHandler {

  private static final String NAME = "idempotency-retries";

  private final RetrySettings settings;
  private final String keyHeader;

  private ApacheRetries(RetrySettings settings, String keyHeader) {
    this.settings = settings;
    this.keyHeader = keyHeader;
  }

  /** With the default settings. */
  public static ApacheRetries create() {
    return create(RetrySettings.defaults());
  }

  /** With these settings. */
  public static ApacheRetries create(RetrySettings settings) {
    return new ApacheRetries(settings, KeyHeader.DEFAULT.name());
  }

  /** These retries with the key in another header, such as {@code PayPal-Request-Id}. */
  public ApacheRetries keyHeader(String name) {
    return new ApacheRetries(settings, name);
  }

  /**
   * Adds itself around all other handlers, and switches off what would go beside it: redirections,
   * which take the request with its key to another host, and HttpClient's own retries.
   */
  public HttpClientBuilder install(HttpClientBuilder builder) {
    return builder
        .disableRedirectHandling()
        .disableAutomaticRetries()
        .addExecInterceptorFirst(NAME, this);
  }

  @Override
  public ClassicHttpResponse execute(
      ClassicHttpRequest request, ExecChain.Scope scope, ExecChain chain)
      throws IOException, HttpException {
    return new Call(request, scope, chain).run().response();
  }

  private record Held(ClassicHttpResponse response, Answer.Http answer) {}

  private static URI uri(ClassicHttpRequest request) throws IOException {
    try {
      return request.getUri();
    } catch (URISyntaxException e) {
      throw new ClientProtocolException(e.getMessage(), e);
    }
  }

  private final class Call extends AdaptedCall<Held> {

    private final ClassicHttpRequest request;
    private final ExecChain.Scope scope;
    private final ExecChain chain;

    Call(ClassicHttpRequest request, ExecChain.Scope scope, ExecChain chain) throws IOException {
      super(settings, request.getMethod(), uri(request), key(request));
      this.request = request;
      this.scope = scope;
      this.chain = chain;
    }

    @Override
    public Held send(Duration limit) throws IOException {
      scope.clientContext.setRequestConfig(within(limit));
      ClassicHttpResponse response;
      try {
        response = chain.proceed(ClassicRequestBuilder.copy(request).build(), scope);
      } catch (HttpException e) {
        throw new ClientProtocolException(e.getMessage(), e);
      }
      boolean held = false;
      try {
        Held result = held(response);
        held = true;
        return result;
      } finally {
        if (!held) {
          response.close();
        }
      }
    }

    private RequestConfig within(Duration limit) {
      RequestConfig config = scope.clientContext.getRequestConfigOrDefault();
      Timeout own = config.getResponseTimeout();
      Timeout left = Timeout.ofMilliseconds(Math.max(1, limit.toMillis()));
      boolean longer = own == null || own.isDisabled() || own.compareTo(left) > 0;
      return longer ? RequestConfig.copy(config).setResponseTimeout(left).build() : config;
    }

    private Held held(ClassicHttpResponse response) throws IOException {
      HttpHeaders headers = headers(response);
      HttpEntity entity = response.getEntity();
      byte[] prefix = new byte[0];
      if (entity != null) {
        HeldStream stream =
            HeldStream.read(entity.getContent(), limit(response.getCode(), headers), -1);
        prefix = stream.prefix();
        response.setEntity(new HeldEntity(entity, stream.whole()));
      }
      return new Held(response, Answer.Http.of(response.getCode(), headers, prefix, false));
    }

    private HttpHeaders headers(ClassicHttpResponse response) {
      Map<String, List<String>> all = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
      for (Header header : response.getHeaders()) {
        all.computeIfAbsent(header.getName(), name -> new ArrayList<>())
            .add(header.getValue() == null ? "" : header.getValue());
      }
      return HttpHeaders.of(all, (name, value) -> true);
    }

    @Override
    public Answer.Http describe(Held held) {
      return held.answer();
    }

    @Override
    public void discard(Held held) {
      try {
        held.response().close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    boolean repeatableBody() {
      HttpEntity body = request.getEntity();
      return body == null || body.isRepeatable();
    }

    @Override
    public boolean cancelled() {
      return scope.execRuntime.isExecutionAborted();
    }
  }

  private @Nullable String key(ClassicHttpRequest request) {
    Header header = request.getFirstHeader(keyHeader);
    return header == null ? null : header.getValue();
  }

  /** An entity of which the beginning was read ahead. */
  private static final class HeldEntity extends HttpEntityWrapper {

    private final InputStream whole;

    HeldEntity(HttpEntity original, InputStream whole) {
      super(original);
      this.whole = whole;
    }

    @Override
    public InputStream getContent() {
      return whole;
    }

    @Override
    public void writeTo(java.io.OutputStream out) throws IOException {
      try (whole) {
        whole.transferTo(out);
      }
    }

    @Override
    public boolean isRepeatable() {
      return false;
    }

    @Override
    public void close() throws IOException {
      whole.close();
      super.close();
    }
  }
}
