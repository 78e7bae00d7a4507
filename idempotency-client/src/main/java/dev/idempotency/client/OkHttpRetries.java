package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import okhttp3.Interceptor;
import okhttp3.OkHttpClient;
import okhttp3.Request;
import okhttp3.RequestBody;
import okhttp3.Response;
import okio.BufferedSource;

/**
 * The retries of {@link RetryingHttpClient} for OkHttp.
 *
 * <p>The request's header {@code Idempotency-Key} is its key; without one only a safe request is
 * tried again. What has no result ends with an {@link OutcomeUnknownException}, {@link
 * NotExecutedException} or {@link KeyExpiredException}. The call's own time-out ({@code
 * callTimeout}) and {@code cancel()} end it too; in a delay between attempts {@code cancel()} takes
 * effect when the delay is over. Needs {@code okhttp}. Thread-safe.
 */
public final class OkHttpRetries implements Interceptor {

  private final RetrySettings settings;
  private final String keyHeader;

  private OkHttpRetries(RetrySettings settings, String keyHeader) {
    this.settings = settings;
    this.keyHeader = keyHeader;
  }

  /** With the default settings. */
  public static OkHttpRetries create() {
    return create(RetrySettings.defaults());
  }

  /** With these settings. */
  public static OkHttpRetries create(RetrySettings settings) {
    return new OkHttpRetries(settings, KeyHeader.DEFAULT.name());
  }

  /** These retries with the key in another header, such as {@code PayPal-Request-Id}. */
  public OkHttpRetries keyHeader(String name) {
    return new OkHttpRetries(settings, name);
  }

  /**
   * Adds itself as an interceptor, and switches off what would go beside it: redirections, which
   * take the request with its key to another host, and OkHttp's own silent repetitions.
   */
  public OkHttpClient.Builder install(OkHttpClient.Builder builder) {
    return builder
        .followRedirects(false)
        .followSslRedirects(false)
        .retryOnConnectionFailure(false)
        .addInterceptor(this);
  }

  @Override
  public Response intercept(Chain chain) throws IOException {
    return new Call(chain).run().response();
  }

  private record Held(Response response, Answer.Http answer) {}

  private final class Call extends AdaptedCall<Held> {

    private final Chain chain;
    private final Request request;

    Call(Chain chain) {
      super(
          settings,
          chain.request().method(),
          chain.request().url().uri(),
          chain.request().header(keyHeader));
      this.chain = chain;
      this.request = chain.request();
    }

    @Override
    public Held send(Duration limit) throws IOException {
      int millis = (int) Math.max(1, Math.min(Integer.MAX_VALUE, limit.toMillis()));
      Response response =
          chain
              .withConnectTimeout(shorter(chain.connectTimeoutMillis(), millis), MS)
              .withReadTimeout(shorter(chain.readTimeoutMillis(), millis), MS)
              .withWriteTimeout(shorter(chain.writeTimeoutMillis(), millis), MS)
              .proceed(request);
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

    /** Reads ahead within the response's own buffer, so that it can be returned as it is. */
    private Held held(Response response) throws IOException {
      HttpHeaders headers = HttpHeaders.of(response.headers().toMultimap(), (name, value) -> true);
      BufferedSource source = response.body().source();
      source.request(limit(response.code(), headers));
      BufferedSource ahead = source.peek();
      byte[] prefix =
          ahead.readByteArray(Math.min(HttpAnswers.MAX_READ, source.getBuffer().size()));
      return new Held(
          response, Answer.Http.of(response.code(), headers, prefix, redirected(response)));
    }

    private boolean redirected(Response response) {
      for (Response prior = response.priorResponse();
          prior != null;
          prior = prior.priorResponse()) {
        if (prior.code() / 100 == 3) {
          return true;
        }
      }
      return false;
    }

    @Override
    public Answer.Http describe(Held held) {
      return held.answer();
    }

    @Override
    public void discard(Held held) {
      held.response().close();
    }

    @Override
    boolean repeatableBody() {
      RequestBody body = request.body();
      return body == null || !(body.isOneShot() || body.isDuplex());
    }

    @Override
    public boolean cancelled() {
      return chain.call().isCanceled();
    }
  }

  private static final TimeUnit MS = TimeUnit.MILLISECONDS;

  /** Zero is "none" to OkHttp. */
  private static int shorter(int own, int limit) {
    return own == 0 ? limit : Math.min(own, limit);
  }
}
