package dev.idempotency.client;

import java.net.URI;
import java.net.http.HttpRequest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One operation over HTTP: the request, its body and its key. Whoever sends the same object again
 * repeats the same operation. Immutable.
 */
public final class RetryableRequest {

  /** RFC 9110 section 9.2.1. */
  private static final Set<String> SAFE = Set.of("GET", "HEAD", "OPTIONS", "TRACE");

  private final URI uri;
  private final String method;
  private final BodySource body;
  private final List<String> headers;
  private final @Nullable RequestKey key;
  private final boolean chosen;
  private final @Nullable Instant keyExpires;

  private RetryableRequest(
      URI uri,
      String method,
      BodySource body,
      List<String> headers,
      @Nullable RequestKey key,
      boolean chosen,
      @Nullable Instant keyExpires) {
    this.uri = uri;
    this.method = method;
    this.body = body;
    this.headers = headers;
    this.key = key;
    this.chosen = chosen;
    this.keyExpires = keyExpires;
  }

  /** A POST with a new random key. */
  public static RetryableRequest post(URI uri, BodySource body) {
    return of("POST", uri, body);
  }

  /** A GET, which needs no key. */
  public static RetryableRequest get(URI uri) {
    return of("GET", uri, BodySource.none());
  }

  /** A request of any method, with a new random key unless the method is safe. */
  public static RetryableRequest of(String method, URI uri, BodySource body) {
    String name = method.toUpperCase(Locale.ROOT);
    return new RetryableRequest(
        uri, name, body, List.of(), isSafe(name) ? null : RequestKey.random(), false, null);
  }

  static boolean isSafe(String method) {
    return SAFE.contains(method);
  }

  /**
   * This request with one more header. {@code Idempotency-Key} is the exception: its value becomes
   * the key, as by {@link #withKey}.
   *
   * @throws IllegalArgumentException if that value is no key, or if another one was chosen already
   */
  public RetryableRequest header(String name, String value) {
    if (name.equalsIgnoreCase(KeyHeader.DEFAULT.name())) {
      return keyFromHeader(name, value);
    }
    List<String> more = new ArrayList<>(headers);
    more.add(name);
    more.add(value);
    return new RetryableRequest(uri, method, body, List.copyOf(more), key, chosen, keyExpires);
  }

  private RetryableRequest keyFromHeader(String name, String value) {
    RequestKey given;
    try {
      given = RequestKey.ofHeader(value);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "the header "
              + name
              + " holds no key that can be sent; use withKey(new RequestKey(...)): "
              + e.getMessage(),
          e);
    }
    if (chosen && !given.equals(key)) {
      throw new IllegalArgumentException(
          "the header "
              + name
              + " holds another key than withKey(...) or an earlier header; set one of them");
    }
    return withKey(given);
  }

  /** This request under another key: of the caller's own operation id, or of an earlier process. */
  public RetryableRequest withKey(RequestKey other) {
    return new RetryableRequest(uri, method, body, headers, other, true, keyExpires);
  }

  /** This request without a key; unless its method is safe, it is sent once. */
  public RetryableRequest withoutKey() {
    return new RetryableRequest(uri, method, body, headers, null, false, null);
  }

  /**
   * This request with the time from which on it is not sent, because the server may have forgotten
   * its key: as {@link OutcomeUnknownException#keyExpires} said, or as the server's documentation
   * does. Replaces what the settings' {@code keyLifetime} would say.
   */
  public RetryableRequest keyExpires(Instant end) {
    return new RetryableRequest(uri, method, body, headers, key, chosen, end);
  }

  /** The key; empty for a request that has none. */
  public Optional<RequestKey> key() {
    return Optional.ofNullable(key);
  }

  /**
   * This request with the key that it has in a client's own header.
   *
   * @throws IllegalArgumentException as {@link #header}
   */
  RetryableRequest keyedBy(KeyHeader header) {
    List<String> others = new ArrayList<>();
    RetryableRequest keyed = this;
    for (int i = 0; i < headers.size(); i += 2) {
      if (headers.get(i).equalsIgnoreCase(header.name())) {
        keyed = keyed.keyFromHeader(headers.get(i), headers.get(i + 1));
      } else {
        others.add(headers.get(i));
        others.add(headers.get(i + 1));
      }
    }
    return new RetryableRequest(
        uri, method, body, List.copyOf(others), keyed.key, keyed.chosen, keyExpires);
  }

  Optional<Instant> keyExpires(RetrySettings settings) {
    if (key == null) {
      return Optional.empty();
    }
    return keyExpires != null
        ? Optional.of(keyExpires)
        : key.madeAt().map(made -> made.plus(settings.keyLifetime));
  }

  URI uri() {
    return uri;
  }

  boolean safe() {
    return isSafe(method);
  }

  boolean repeatable() {
    return body.repeatable() && (safe() || key != null);
  }

  HttpRequest.Builder newAttempt(BodyStart start) {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(uri).method(method, start.watch(body.open()));
    if (!headers.isEmpty()) {
      builder.headers(headers.toArray(String[]::new));
    }
    return builder;
  }
}
