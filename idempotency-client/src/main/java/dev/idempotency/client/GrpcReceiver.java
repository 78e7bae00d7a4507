package dev.idempotency.client;

import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Keeps what comes of an answer until its end. Used as gRPC uses every listener: in turn. */
final class GrpcReceiver<RespT> extends ClientCall.Listener<RespT> {

  private final CompletableFuture<GrpcReceived<RespT>> received;
  private final StreamProgress stream;
  private @Nullable Metadata headers;
  private @Nullable RespT message;
  private int messages;

  GrpcReceiver(CompletableFuture<GrpcReceived<RespT>> received, StreamProgress stream) {
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
      received.complete(new GrpcReceived<>(headers, null, faulty, trailers, false));
      return;
    }
    received.complete(
        new GrpcReceived<>(headers, message, status, trailers, stream.unprocessed(status)));
  }
}
