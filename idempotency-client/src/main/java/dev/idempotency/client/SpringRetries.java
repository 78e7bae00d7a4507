package dev.idempotency.client;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpRequest;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.client.ClientHttpRequestExecution;
import org.springframework.http.client.ClientHttpRequestInterceptor;
import org.springframework.http.client.ClientHttpResponse;

/**
 * The retries of {@link RetryingHttpClient} for Spring's {@code RestClient} and {@code
 * RestTemplate}.
 *
 * <p>The request's header {@code Idempotency-Key} is its key; without one only a safe request is
 * tried again. What has no result ends with a {@code ResourceAccessException} whose cause is an
 * {@link OutcomeUnknownException}, {@link NotExecutedException} or {@link KeyExpiredException}.
 *
 * <p>Attempts run on the caller's thread, each with the time-outs of the request factory: the
 * settings' deadline keeps further attempts from being made, but does not end one. The request
 * factory must not follow redirections, which cannot be seen from here. Add it as the last
 * interceptor. Needs {@code spring-web}. Thread-safe.
 */
public final class SpringRetries implements ClientHttpRequestInterceptor {

  private final RetrySettings settings;
  private final String keyHeader;

  private SpringRetries(RetrySettings settings, String keyHeader) {
    this.settings = settings;
    this.keyHeader = keyHeader;
  }

  /** With the default settings. */
  public static SpringRetries create() {
    return create(RetrySettings.defaults());
  }

  /** With these settings. */
  public static SpringRetries create(RetrySettings settings) {
    return new SpringRetries(settings, KeyHeader.DEFAULT.name());
  }

  /** These retries with the key in another header, such as {@code PayPal-Request-Id}. */
  public SpringRetries keyHeader(String name) {
    return new SpringRetries(settings, name);
  }

  @Override
  public ClientHttpResponse intercept(
      HttpRequest request, byte[] body, ClientHttpRequestExecution execution) throws IOException {
    return new Call(request, body, execution).run().response();
  }

  private final class Call extends AdaptedCall<Held> {

    private final HttpRequest request;
    private final byte[] body;
    private final ClientHttpRequestExecution execution;

    Call(HttpRequest request, byte[] body, ClientHttpRequestExecution execution) {
      super(
          settings,
          request.getMethod().name(),
          request.getURI(),
          request.getHeaders().getFirst(keyHeader));
      this.request = request;
      this.body = body;
      this.execution = execution;
    }

    @Override
    public Held send(Duration limit) throws IOException {
      ClientHttpResponse response = execution.execute(request, body);
      boolean held = false;
      try {
        int status = response.getStatusCode().value();
        java.net.http.HttpHeaders headers = headers(response);
        HeldStream stream =
            HeldStream.read(response.getBody(), limit(status, headers), length(headers, status));
        held = true;
        return new Held(
            new HeldResponse(response, stream.whole()),
            Answer.Http.of(status, headers, stream.prefix(), false));
      } finally {
        if (!held) {
          response.close();
        }
      }
    }

    /** What is decoded, or has no body by its nature, is not as long as announced. */
    private long length(java.net.http.HttpHeaders headers, int status) {
      boolean other =
          HttpMethod.HEAD.equals(request.getMethod())
              || status == 204
              || status == 304
              || headers.firstValue("Content-Encoding").isPresent();
      return other ? -1 : headers.firstValueAsLong("Content-Length").orElse(-1);
    }

    private java.net.http.HttpHeaders headers(ClientHttpResponse response) {
      Map<String, List<String>> all = new HashMap<>();
      response.getHeaders().forEach((name, values) -> all.put(name, new ArrayList<>(values)));
      return java.net.http.HttpHeaders.of(all, (name, value) -> true);
    }

    @Override
    public Answer.Http describe(Held held) {
      return held.answer();
    }

    @Override
    public void discard(Held held) {
      try {
        held.response().getBody().close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } finally {
        held.response().close();
      }
    }

    @Override
    boolean repeatableBody() {
      return true;
    }
  }

  private record Held(ClientHttpResponse response, Answer.Http answer) {}

  /** A response of which the beginning was read ahead. */
  private record HeldResponse(ClientHttpResponse original, InputStream body)
      implements ClientHttpResponse {

    @Override
    public HttpStatusCode getStatusCode() throws IOException {
      return original.getStatusCode();
    }

    @Override
    public String getStatusText() throws IOException {
      return original.getStatusText();
    }

    @Override
    public HttpHeaders getHeaders() {
      return original.getHeaders();
    }

    @Override
    public InputStream getBody() {
      return body;
    }

    @Override
    public void close() {
      original.close();
    }
  }
}
