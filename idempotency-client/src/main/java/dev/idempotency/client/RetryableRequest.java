package dev.idempotency.client;

import java.net.URI;
import java.net.http.HttpRequest;
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

  private RetryableRequest(
      URI uri, String method, BodySource body, List<String> headers, @Nullable RequestKey key) {
    this.uri = uri;
    this.method = method;
    this.body = body;
    this.headers = headers;
    this.key = key;
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
        uri, name, body, List.of(), SAFE.contains(name) ? null : RequestKey.random());
  }

  /** This request with one more header. */
  public RetryableRequest header(String name, String value) {
    List<String> more = new ArrayList<>(headers);
    more.add(name);
    more.add(value);
    return new RetryableRequest(uri, method, body, List.copyOf(more), key);
  }

  /** This request under another key: of the caller's own operation id, or of an earlier process. */
  public RetryableRequest withKey(RequestKey other) {
    return new RetryableRequest(uri, method, body, headers, other);
  }

  /** This request without a key; unless its method is safe, it is sent once. */
  public RetryableRequest withoutKey() {
    return new RetryableRequest(uri, method, body, headers, null);
  }

  /** The key; empty for a request that has none. */
  public Optional<RequestKey> key() {
    return Optional.ofNullable(key);
  }

  boolean safe() {
    return SAFE.contains(method);
  }

  boolean repeatable() {
    return body.repeatable() && (safe() || key != null);
  }

  HttpRequest.Builder newAttempt() {
    HttpRequest.Builder builder = HttpRequest.newBuilder(uri).method(method, body.open());
    if (!headers.isEmpty()) {
      builder.headers(headers.toArray(String[]::new));
    }
    return builder;
  }
}
