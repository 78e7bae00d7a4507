package dev.idempotency.grpc;

import java.util.Optional;

/**
 * Finds the key in a message that cannot be read by descriptor: protobuf lite, or no protobuf at
 * all. Thread-safe.
 *
 * @param <T> type of the request message
 */
@FunctionalInterface
public interface KeyExtractor<T> {

  /** The key in the message; empty, or an empty text, if it holds none. */
  Optional<String> key(T message);

  /**
   * What makes two requests the same.
   *
   * @param message the request
   * @param serialized the request as its marshaller writes it
   * @return bytes to compare by digest; by default all of {@code serialized}, so the marshaller
   *     must write equal requests equally
   */
  default byte[] content(T message, byte[] serialized) {
    return serialized;
  }
}
