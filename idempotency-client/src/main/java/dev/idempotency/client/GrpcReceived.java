package dev.idempotency.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How a call ended.
 *
 * @param unprocessed whether surely no server acted on it
 */
record GrpcReceived<RespT>(
    @Nullable Metadata headers,
    @Nullable RespT message,
    Status status,
    Metadata trailers,
    boolean unprocessed) {

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);

  /** gRFC A6. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  /** As grpc-java, grpc-go and the C core say it; there is no code of its own for it. */
  private static final Pattern TOO_LARGE =
      Pattern.compile("exceeds maximum size|message too large|message larger than max");

  /** One that this client made up. */
  static <RespT> GrpcReceived<RespT> of(Status status) {
    return new GrpcReceived<>(null, null, status, new Metadata(), false);
  }

  /** The same with another status and without a message. */
  GrpcReceived<RespT> with(Status other) {
    return new GrpcReceived<>(headers, null, other, trailers, unprocessed);
  }

  /**
   * What the classifier gets to see.
   *
   * @param domain of the server's own errors
   */
  Answer answer(String domain) {
    if (unprocessed && StreamProgress.isShutDown(status)) {
      return new Answer.NotSent(status.asRuntimeException(trailers));
    }
    String description = status.getDescription();
    return new Answer.Grpc(
        status.getCode().name(),
        detail(ErrorInfo.class)
            .flatMap(info -> Peer.reason(info.getDomain(), info.getReason(), domain)),
        trailers.containsKey(PUSHBACK) || detail(RetryInfo.class).isPresent(),
        description != null && TOO_LARGE.matcher(description).find(),
        replayed(),
        unprocessed);
  }

  /** A mark in the headers is of a success; a connection may still break behind it. */
  private boolean replayed() {
    return "true".equals(trailers.get(REPLAYED))
        || (status.isOk() && headers != null && "true".equals(headers.get(REPLAYED)));
  }

  /** How long the server says to wait, at most {@link RetrySettings#LONGEST}. */
  Duration hint() {
    String pushback = trailers.get(PUSHBACK);
    if (pushback != null) {
      try {
        long millis = Long.parseLong(pushback.strip());
        // gRFC A6: below zero, or not to be read, is "do not retry": later than any deadline.
        return millis < 0 ? RetrySettings.LONGEST : RetrySettings.clamp(Duration.ofMillis(millis));
      } catch (NumberFormatException e) {
        return RetrySettings.LONGEST;
      }
    }
    return detail(RetryInfo.class)
        .map(RetryInfo::getRetryDelay)
        .map(delay -> Duration.ofSeconds(clamped(delay.getSeconds()), delay.getNanos()))
        .map(RetrySettings::clamp)
        .orElse(Duration.ZERO);
  }

  private static long clamped(long seconds) {
    return Math.max(0, Math.min(RetrySettings.LONGEST.toSeconds(), seconds));
  }

  private <M extends Message> Optional<M> detail(Class<M> type) {
    if (status.isOk()) {
      return Optional.empty();
    }
    try {
      com.google.rpc.Status details = StatusProto.fromStatusAndTrailers(status, trailers);
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
}
