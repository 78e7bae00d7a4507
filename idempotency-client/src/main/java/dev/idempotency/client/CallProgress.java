package dev.idempotency.client;

import io.grpc.Channel;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** How far the attempts of one gRPC call came. Thread-safe. */
final class CallProgress {

  private final Channel channel;
  private final List<StreamProgress> streams = new CopyOnWriteArrayList<>();

  CallProgress(Channel channel) {
    this.channel = channel;
  }

  /** Begins the next attempt. */
  StreamProgress next() {
    StreamProgress stream = new StreamProgress(channel);
    streams.add(stream);
    return stream;
  }

  int attempts() {
    return streams.size();
  }

  /** Whether surely none of them left this machine. */
  boolean nothingSent() {
    return streams.stream().allMatch(StreamProgress::nothingSent);
  }
}
