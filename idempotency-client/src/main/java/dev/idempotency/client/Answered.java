package dev.idempotency.client;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Optional;
import javax.net.ssl.SSLSession;

/** A response as it came, with the body that the caller's own handler made of it. */
record Answered<T>(HttpResponse<HeldBody> original, T body) implements HttpResponse<T> {

  @Override
  public int statusCode() {
    return original.statusCode();
  }

  @Override
  public HttpRequest request() {
    return original.request();
  }

  /** One that asked for authentication, for example; its body is null, as by {@code HttpClient}. */
  @Override
  @SuppressWarnings("unchecked") // Without a body it is a response of any type.
  public Optional<HttpResponse<T>> previousResponse() {
    return original.previousResponse().map(before -> (HttpResponse<T>) (HttpResponse<?>) before);
  }

  @Override
  public HttpHeaders headers() {
    return original.headers();
  }

  @Override
  public Optional<SSLSession> sslSession() {
    return original.sslSession();
  }

  @Override
  public URI uri() {
    return original.uri();
  }

  @Override
  public HttpClient.Version version() {
    return original.version();
  }
}
