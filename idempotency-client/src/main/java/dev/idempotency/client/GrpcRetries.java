package dev.idempotency.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.stub.AbstractStub;
import java.time.Instant;

/**
 * Sends unary gRPC calls until they have their result: every attempt with the same key, in the
 * field where the server looks for it, or as metadata {@code idempotency-key} if there is no field.
 *
 * <p>A call's key is the one of {@link #withKey}, or the one that stands in the request or its
 * metadata already. A call without one is sent once, unless its method has no side effects. Calls
 * that stream are passed on as they are.
 *
 * <p>A call that may have been executed and has no result ends with the last status, whose cause is
 * an {@link OutcomeUnknownException}; one that surely was not sent, or not acted on, has a {@link
 * NotExecutedException} there, and one whose key the server may have forgotten a {@link
 * KeyExpiredException}. The stub's deadline and the settings' both end it. Do not combine it with a
 * {@code retryPolicy} in the channel's service config: the attempts of both would multiply.
 * Thread-safe.
 */
public final class GrpcRetries implements ClientInterceptor {

  static final CallOptions.Key<RequestKey> KEY = CallOptions.Key.create("idempotency-key");
  static final CallOptions.Key<Boolean> RESUMED =
      CallOptions.Key.createWithDefault("idempotency-resumed", false);
  static final CallOptions.Key<Instant> EXPIRES = CallOptions.Key.create("idempotency-expires");

  private final RetrySettings settings;
  private final String errorDomain;
  private final KeyFields fields = new KeyFields();

  private GrpcRetries(RetrySettings settings, String errorDomain) {
    this.settings = settings;
    this.errorDomain = errorDomain;
  }

  /** With the default settings. */
  public static GrpcRetries create() {
    return create(RetrySettings.defaults());
  }

  /** With these settings. */
  public static GrpcRetries create(RetrySettings settings) {
    return new GrpcRetries(settings, Peer.DOMAIN);
  }

  /**
   * These retries for a server that names itself: the {@code domain} of the {@code ErrorInfo} in
   * its own answers, which its interceptor's {@code errorDomain} says. "Not executed" is believed
   * of that domain only, so that the answer of a server behind the server is not taken for its own.
   */
  public GrpcRetries errorDomain(String domain) {
    return new GrpcRetries(settings, domain);
  }

  /**
   * A stub whose next call is the operation of this key. One stub for each operation: a second call
   * on it would be another operation under the same key.
   */
  public static <S extends AbstractStub<S>> S withKey(S stub, RequestKey key) {
    return stub.withOption(KEY, key);
  }

  /**
   * A stub whose next call asks again for an operation that this or an earlier process left without
   * a result; with the same request as then.
   */
  public static <S extends AbstractStub<S>> S resume(S stub, RequestKey key) {
    return stub.withOption(KEY, key).withOption(RESUMED, true);
  }

  /**
   * As {@link #resume(AbstractStub, RequestKey)}, for a key of which it is known until when the
   * server remembers it ({@link OutcomeUnknownException#keyExpires}): later than that nothing is
   * sent.
   */
  public static <S extends AbstractStub<S>> S resume(S stub, RequestKey key, Instant keyExpires) {
    return resume(stub, key).withOption(EXPIRES, keyExpires);
  }

  @Override
  public <ReqT, RespT> ClientCall<ReqT, RespT> interceptCall(
      MethodDescriptor<ReqT, RespT> method, CallOptions options, Channel next) {
    if (method.getType() != MethodDescriptor.MethodType.UNARY) {
      return next.newCall(method, options);
    }
    return new RetriedCall<>(
        new GrpcTarget<>(method, options, next, Context.current(), errorDomain), settings, fields);
  }
}
