package dev.idempotency.grpc;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Metadata;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Recognizes an answer of another service with this library in what a handler answers: an {@code
 * ErrorInfo} of our domain in the details of a status, which the handler forwards.
 */
final class RelayedAnswer {

  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private RelayedAnswer() {}

  /**
   * The reason that an answer forwards; empty if it is none of ours.
   *
   * @param ownDomain that of this interceptor, beside the default one
   */
  static Optional<String> reasonIn(RecordedAnswer answer, String ownDomain) {
    byte @Nullable [] details = answer.status().isOk() ? null : answer.trailers().get(DETAILS);
    if (details == null) {
      return Optional.empty();
    }
    try {
      for (Any detail : com.google.rpc.Status.parseFrom(details).getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          if (isOurs(info, ownDomain)) {
            return Optional.of(info.getReason());
          }
        }
      }
    } catch (InvalidProtocolBufferException notOurs) {
      return Optional.empty();
    }
    return Optional.empty();
  }

  private static boolean isOurs(ErrorInfo info, String ownDomain) {
    // The application may have reasons of its own under a domain that it chose for ours.
    return info.getDomain().equals(IdempotencyInterceptor.ERROR_DOMAIN)
        || (info.getDomain().equals(ownDomain) && info.getReason().startsWith("IDEMPOTENCY_"));
  }
}
