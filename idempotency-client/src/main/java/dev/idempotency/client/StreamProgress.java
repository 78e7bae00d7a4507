package dev.idempotency.client;

import io.grpc.Attributes;
import io.grpc.Channel;
import io.grpc.ClientStreamTracer;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/**
 * How far one attempt over gRPC came, as the transport reports it. A status alone does not say:
 * UNAVAILABLE is an unknown host as well as a connection that was lost after the server acted.
 * Thread-safe.
 */
final class StreamProgress extends ClientStreamTracer.Factory {

  /**
   * As grpc-java describes a stream that the server did not process: refused (RFC 9113 section
   * 8.7), or with an id above the one in GOAWAY (section 6.8).
   */
  private static final Pattern REFUSED =
      Pattern.compile(
          "(RST_STREAM closed stream\\. )?HTTP/2 error code: REFUSED_STREAM\\b.*|Abrupt GOAWAY"
              + " closed .*",
          Pattern.DOTALL);

  private final Channel channel;
  private final AtomicInteger onTransport = new AtomicInteger();
  private volatile boolean traced;
  private volatile boolean sent;
  private volatile boolean answered;
  private volatile boolean retried;

  StreamProgress(Channel channel) {
    this.channel = channel;
  }

  @Override
  public ClientStreamTracer newClientStreamTracer(
      ClientStreamTracer.StreamInfo info, Metadata headers) {
    traced = true;
    // By a retryPolicy of the channel: what is seen of the last stream says nothing of the others.
    retried |= info.getPreviousAttempts() > 0;
    return new ClientStreamTracer() {
      private volatile boolean created;

      @Override
      public void streamCreated(Attributes transport, Metadata sentHeaders) {
        created = true;
        onTransport.incrementAndGet();
      }

      @Override
      public void streamClosed(Status status) {
        if (created) {
          onTransport.decrementAndGet();
        }
      }

      @Override
      public void outboundHeaders() {
        sent = true;
      }

      @Override
      public void inboundHeaders() {
        answered = true;
      }

      @Override
      public void inboundTrailers(Metadata trailers) {
        answered = true;
      }
    };
  }

  /**
   * Whether surely nothing left this machine, and nothing will: to be asked of an attempt that has
   * ended or was cancelled. A transport says late that it wrote the headers, when the server may
   * have acted on them; so of a stream that a transport has, nothing is sure before it is closed.
   */
  boolean nothingSent() {
    // A foreign channel may trace nothing; grpc-java's own does for every stream that it makes.
    return onTransport.get() == 0 && !sent && !answered && (traced || isOfGrpcJava());
  }

  private boolean isOfGrpcJava() {
    return channel instanceof ManagedChannel
        && channel.getClass().getName().startsWith("io.grpc.internal.");
  }

  /** Whether surely no server acted on an attempt that ended like this. */
  boolean unprocessed(Status status) {
    if (status.isOk() || answered) {
      return false;
    }
    String description = status.getDescription();
    return nothingSent()
        || (!sent && !traced && isShutDown(status))
        || (traced && !retried && description != null && REFUSED.matcher(description).matches());
  }

  /** Whether a channel said that it takes no calls any more; it will not change its mind. */
  static boolean isShutDown(Status status) {
    String description = status.getDescription();
    return status.getCode() == Status.Code.UNAVAILABLE
        && description != null
        && description.startsWith("Channel shutdown");
  }
}
