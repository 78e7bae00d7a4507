package dev.idempotency.client;

import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * One operation's attempts over gRPC.
 *
 * @param outgoing the request, key and all
 * @param headers of the call; copied for each attempt
 * @param progress of all attempts
 */
record GrpcExchange<ReqT, RespT>(
    GrpcTarget<ReqT, RespT> target,
    KeyFields.Keyed<ReqT> outgoing,
    Metadata headers,
    RetrySettings settings,
    CallProgress progress)
    implements AttemptedCall.Async<GrpcReceived<RespT>> {

  @Override
  public Sent<GrpcReceived<RespT>> sendAsync(Duration limit) {
    CompletableFuture<GrpcReceived<RespT>> received = new CompletableFuture<>();
    StreamProgress stream = progress.next();
    // A call belongs to the context that it is made in, and a retry is made by another thread.
    Context before = target.context().attach();
    ClientCall<ReqT, RespT> call;
    try {
      call =
          target
              .next()
              .newCall(
                  target.method(),
                  target
                      .options()
                      .withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS)
                      .withStreamTracerFactory(stream));
      start(call, new GrpcReceiver<>(received, stream));
    } finally {
      target.context().detach(before);
    }
    var unused =
        received.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                call.cancel("the attempt was ended", failure);
              }
            });
    return new Sent<>(received, () -> timeout(stream));
  }

  private static Throwable timeout(StreamProgress stream) {
    return stream.nothingSent()
        ? new HttpConnectTimeoutException("no connection within the time-out; nothing was sent")
        : new HttpTimeoutException("no answer within the time-out");
  }

  private void start(ClientCall<ReqT, RespT> call, GrpcReceiver<RespT> answer) {
    Metadata copy = new Metadata();
    copy.merge(headers);
    try {
      call.start(answer, copy);
      // Two, so that a second message, which would be a fault, is seen as one.
      call.request(2);
      call.sendMessage(outgoing.message());
      call.halfClose();
    } catch (RuntimeException | Error e) {
      // As gRPC's own stubs do: nobody else would end it.
      call.cancel("the attempt could not be sent", e);
      throw e;
    }
  }

  @Override
  public Answer describe(GrpcReceived<RespT> received) {
    return received.answer(target.domain());
  }

  @Override
  public Duration hint(GrpcReceived<RespT> received) {
    return received.hint();
  }

  @Override
  public boolean succeeded(GrpcReceived<RespT> received) {
    return received.status().isOk();
  }

  @Override
  public boolean repeatable() {
    return keyed() || safe();
  }

  @Override
  public String authority() {
    String own = target.options().getAuthority();
    String authority = own == null ? target.next().authority() : own;
    return authority == null ? "" : authority.toLowerCase(Locale.ROOT);
  }

  @Override
  public boolean keyed() {
    return outgoing.key().isPresent();
  }

  @Override
  public Optional<Instant> keyExpires() {
    return Optional.ofNullable(target.options().getOption(GrpcRetries.EXPIRES))
        .or(
            () ->
                outgoing
                    .key()
                    .flatMap(RequestKey::madeAt)
                    .map(made -> made.plus(settings.keyLifetime)));
  }

  private boolean safe() {
    return KeyFields.isSafe(target.method());
  }

  /** What the last attempt means for the caller. */
  GrpcReceived<RespT> ending(Attempt<GrpcReceived<RespT>> last) {
    GrpcReceived<RespT> received = last.value();
    boolean answered = received != null && !received.unprocessed();
    if (received == null) {
      received = GrpcReceived.of(statusOf(last));
    }
    boolean result = last.verdict() == Verdict.FINAL || (answered && !last.doubt());
    if (outgoing.key().isEmpty()
        || safe()
        || (result && last.ending() != RetryListener.Stop.KEY_EXPIRED)) {
      return received;
    }
    Attempt<GrpcReceived<RespT>> failed =
        last.failure() != null
            ? last
            : new Attempt<>(
                last.number(),
                null,
                received.status().asRuntimeException(received.trailers()),
                last.verdict(),
                last.doubt(),
                null,
                last.stop(),
                last.expires());
    return received.with(
        received.status().withCause(HttpEnding.failure(outgoing.key(), failed, null)));
  }

  /**
   * A call that ends before its loop does: by its caller, or because the answer was not taken. The
   * key is in the cause.
   *
   * @param doubt whether it may have executed, whatever became of the attempts made here
   */
  Status broken(Status status, boolean doubt) {
    if (safe() || outgoing.key().isEmpty()) {
      return status;
    }
    RequestKey key = outgoing.key().get();
    int attempts = progress.attempts();
    RetryListener.Stop stop = RetryListener.Stop.CANCELLED;
    Throwable cause = status.asRuntimeException();
    return status.withCause(
        !doubt && progress.nothingSent()
            ? new NotExecutedException(key, attempts, stop, cause)
            : new OutcomeUnknownException(
                key, attempts, stop, keyExpires().orElse(null), null, cause));
  }

  private static Status statusOf(Attempt<?> last) {
    Throwable failure = last.failure();
    if (failure instanceof HttpTimeoutException
        || (failure == null && last.ending() == RetryListener.Stop.DEADLINE)) {
      return Status.DEADLINE_EXCEEDED.withDescription("no answer within the time-out");
    }
    if (failure == null && last.ending() == RetryListener.Stop.KEY_EXPIRED) {
      return Status.FAILED_PRECONDITION.withDescription(
          "nothing was sent: the server may have forgotten the idempotency key");
    }
    return failure == null
        ? Status.CANCELLED.withDescription("no attempt was made")
        : Status.fromThrowable(failure);
  }
}
