package dev.idempotency.grpc;

import java.nio.ByteBuffer;
import java.util.Optional;

/** What the interceptor needs to know of a method's requests. Thread-safe. */
interface RequestReader<T> {

  /** How messages name where the key belongs. */
  String keyLocation();

  /**
   * Names how contents are made; contents of different schemas are not compared. Depends on the
   * bound method alone, never on a request.
   */
  String schema();

  /** Reads a request. The message is used up by it: the handler gets the one that is returned. */
  ReadRequest<T> read(T message);

  /**
   * A key in the form in which it is compared.
   *
   * @throws RefusedCall if it does not have the form that the field demands
   */
  String canonical(String key);

  /** One request. Not thread-safe. */
  interface ReadRequest<T> {

    /** The key in the message; empty if there is none, empty text if it is set to that. */
    Optional<String> key();

    /** Bytes of the message, serialized. */
    int size();

    /**
     * What makes two requests the same, without the key.
     *
     * @param memory to take what making it needs
     * @throws RefusedCall if there is no room
     */
    ByteBuffer content(CallMemory memory);

    /** The full name of the first message within that has fields unknown to the schema. */
    Optional<String> unknownFields();

    /** For the handler. */
    T message();
  }
}
