package dev.idempotency.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

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
    implements AttemptedCall.Async<GrpcExchange.Received<RespT>> {

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);

  /** gRFC A6. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /** As grpc-java, grpc-go and the C core say it; there is no code of its own for it. */
  private static final Pattern TOO_LARGE =
      Pattern.compile("exceeds maximum size|message too large|message larger than max");

  /**
   * How a call ended.
   *
   * @param unprocessed whether surely no server acted on it
   */
  record Received<RespT>(
      @Nullable Metadata headers,
      @Nullable RespT message,
      Status status,
      Metadata trailers,
      boolean unprocessed) {

    /** One that this client made up. */
    static <RespT> Received<RespT> of(Status status) {
      return new Received<>(null, null, status, new Metadata(), false);
    }

    /** The same with another status and without a message. */
    Received<RespT> with(Status other) {
      return new Received<>(headers, null, other, trailers, unprocessed);
    }

    /** A mark in the headers is of a success; a connection may still break behind it. */
    boolean replayed() {
      return "true".equals(trailers.get(REPLAYED))
          || (status.isOk() && headers != null && "true".equals(headers.get(REPLAYED)));
    }
  }

  @Override
  public Sent<Received<RespT>> sendAsync(Duration limit) {
    CompletableFuture<Received<RespT>> received = new CompletableFuture<>();
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
      start(call, new Collecting<>(received, stream));
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

  private void start(ClientCall<ReqT, RespT> call, Collecting<RespT> answer) {
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

  /** Keeps what comes until the end. */
  private static final class Collecting<RespT> extends ClientCall.Listener<RespT> {

    private final CompletableFuture<Received<RespT>> received;
    private final StreamProgress stream;
    private @Nullable Metadata headers;
    private @Nullable RespT message;
    private int messages;

    Collecting(CompletableFuture<Received<RespT>> received, StreamProgress stream) {
      this.received = received;
      this.stream = stream;
    }

    @Override
    public void onHeaders(Metadata metadata) {
      headers = metadata;
    }

    @Override
    public void onMessage(RespT response) {
      message = response;
      messages++;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (status.isOk() && messages != 1) {
        // As gRPC's own stubs take it; here it also leaves the outcome unknown.
        Status faulty =
            Status.INTERNAL.withDescription(
                messages == 0 ? "no response to a unary call" : "more than one response");
        received.complete(new Received<>(headers, null, faulty, trailers, false));
        return;
      }
      received.complete(
          new Received<>(headers, message, status, trailers, stream.unprocessed(status)));
    }
  }

  @Override
  public Answer describe(Received<RespT> received) {
    Status status = received.status();
    if (received.unprocessed() && StreamProgress.isShutDown(status)) {
      return new Answer.NotSent(status.asRuntimeException(received.trailers()));
    }
    String description = status.getDescription();
    return new Answer.Grpc(
        status.getCode().name(),
        detail(received, ErrorInfo.class)
            .flatMap(info -> Peer.reason(info.getDomain(), info.getReason(), target.domain())),
        received.trailers().containsKey(PUSHBACK) || detail(received, RetryInfo.class).isPresent(),
        description != null && TOO_LARGE.matcher(description).find(),
        received.replayed(),
        received.unprocessed());
  }

  @Override
  public Duration hint(Received<RespT> received) {
    String pushback = received.trailers().get(PUSHBACK);
    if (pushback != null) {
      try {
        long millis = Long.parseLong(pushback.strip());
        // gRFC A6: below zero, or not to be read, is "do not retry": later than any deadline.
        return millis < 0 ? RetrySettings.LONGEST : Duration.ofMillis(millis);
      } catch (NumberFormatException e) {
        return RetrySettings.LONGEST;
      }
    }
    return detail(received, RetryInfo.class)
        .map(info -> info.getRetryDelay())
        .map(delay -> Duration.ofSeconds(clamped(delay.getSeconds()), delay.getNanos()))
        .orElse(Duration.ZERO);
  }

  private static long clamped(long seconds) {
    return Math.max(0, Math.min(RetrySettings.LONGEST.toSeconds(), seconds));
  }

  private static <M extends com.google.protobuf.Message> Optional<M> detail(
      Received<?> received, Class<M> type) {
    if (received.status().isOk()) {
      return Optional.empty();
    }
    try {
      com.google.rpc.Status details =
          StatusProto.fromStatusAndTrailers(received.status(), received.trailers());
      for (Any detail : details.getDetailsList()) {
        if (detail.is(type)) {
          return Optional.of(detail.unpack(type));
        }
      }
    } catch (InvalidProtocolBufferException | IllegalArgumentException e) {
      // Damaged details, or those of another status, say nothing.
      return Optional.empty();
    }
    return Optional.empty();
  }

  @Override
  public boolean succeeded(Received<RespT> received) {
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
  Received<RespT> ending(Attempt<Received<RespT>> last) {
    Received<RespT> received = last.value();
    boolean answered = received != null && !received.unprocessed();
    if (received == null) {
      received = Received.of(statusOf(last));
    }
    boolean result = last.verdict() == Verdict.FINAL || (answered && !last.doubt());
    if (outgoing.key().isEmpty()
        || safe()
        || (result && last.ending() != RetryListener.Stop.KEY_EXPIRED)) {
      return received;
    }
    Attempt<Received<RespT>> failed =
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
   */
  Status broken(Status status, boolean resumed) {
    if (safe() || outgoing.key().isEmpty()) {
      return status;
    }
    RequestKey key = outgoing.key().get();
    int attempts = progress.attempts();
    RetryListener.Stop stop = RetryListener.Stop.CANCELLED;
    Throwable cause = status.asRuntimeException();
    return status.withCause(
        progress.nothingSent() && !resumed
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
