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
import java.net.ConnectException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One operation's attempts over gRPC.
 *
 * @param keyed the request, key and all
 * @param headers of the call; copied for each attempt
 */
record GrpcExchange<ReqT, RespT>(
    GrpcTarget<ReqT, RespT> target, KeyFields.Keyed<ReqT> keyed, Metadata headers, boolean safe)
    implements AttemptedCall<GrpcExchange.Received<RespT>> {

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);

  /** gRFC A6. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /** As grpc-java, grpc-go and the C core say it; there is no code of its own for it. */
  private static final Pattern TOO_LARGE =
      Pattern.compile("exceeds maximum size|message too large|message larger than max");

  /** How a call ended. */
  record Received<RespT>(
      @Nullable Metadata headers, @Nullable RespT message, Status status, Metadata trailers) {

    /** A mark in the headers is of a success; a connection may still break behind it. */
    boolean replayed() {
      return "true".equals(trailers.get(REPLAYED))
          || (status.isOk() && headers != null && "true".equals(headers.get(REPLAYED)));
    }
  }

  @Override
  public CompletableFuture<Received<RespT>> send(Duration limit) {
    CompletableFuture<Received<RespT>> received = new CompletableFuture<>();
    // A call belongs to the context that it is made in, and a retry is made by another thread.
    Context before = target.context().attach();
    ClientCall<ReqT, RespT> call;
    try {
      call =
          target
              .next()
              .newCall(
                  target.method(),
                  target.options().withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS));
      start(call, received);
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
    return received;
  }

  private void start(ClientCall<ReqT, RespT> call, CompletableFuture<Received<RespT>> received) {
    Metadata copy = new Metadata();
    copy.merge(headers);
    try {
      call.start(new Collecting<>(received), copy);
      // Two, so that a second message, which would be a fault, is seen as one.
      call.request(2);
      call.sendMessage(keyed.message());
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
    private @Nullable Metadata headers;
    private @Nullable RespT message;
    private int messages;

    Collecting(CompletableFuture<Received<RespT>> received) {
      this.received = received;
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
        received.complete(new Received<>(headers, null, faulty, trailers));
        return;
      }
      received.complete(new Received<>(headers, message, status, trailers));
    }
  }

  @Override
  public Answer describe(Received<RespT> received) {
    Status status = received.status();
    for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
      if (cause instanceof ConnectException) {
        return new Answer.None(cause);
      }
    }
    String description = status.getDescription();
    return new Answer.Grpc(
        status.getCode().name(),
        detail(received, ErrorInfo.class).map(ErrorInfo::getReason),
        received.trailers().containsKey(PUSHBACK) || detail(received, RetryInfo.class).isPresent(),
        description != null && TOO_LARGE.matcher(description).find(),
        received.replayed());
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
  public boolean repeatable() {
    return safe || keyed.key().isPresent();
  }

  /** What the last attempt means for the caller. */
  Received<RespT> ending(Attempt<Received<RespT>> last) {
    Received<RespT> received = last.value();
    if (received == null) {
      received = new Received<>(null, null, statusOf(last.failure()), new Metadata());
    }
    boolean known = last.verdict() == Verdict.FINAL || !last.doubt();
    return known
        ? received
        : new Received<>(
            received.headers(),
            null,
            unknown(received.status(), received.trailers(), last.number()),
            received.trailers());
  }

  /** A status of a call that may have been executed: the key is in its cause. */
  Status unknown(Status status, Metadata trailers, int attempts) {
    return safe || keyed.key().isEmpty()
        ? status
        : status.withCause(
            new OutcomeUnknownException(
                keyed.key().get(), attempts, null, status.asRuntimeException(trailers)));
  }

  private static Status statusOf(@Nullable Throwable failure) {
    return failure instanceof java.net.http.HttpTimeoutException
        ? Status.DEADLINE_EXCEEDED.withDescription("no answer within the time-out")
        : Status.fromThrowable(failure == null ? new IllegalStateException("no answer") : failure);
  }
}
