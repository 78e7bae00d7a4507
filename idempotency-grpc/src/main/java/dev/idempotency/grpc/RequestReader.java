package dev.idempotency.grpc;

import java.util.Optional;

/** What the interceptor needs to know of a request message. Thread-safe. */
interface RequestReader<T> {

  /** How messages name where the key belongs. */
  String keyLocation();

  /** Names the shape of the content; contents of different schemas are not compared. */
  String schema(T message);

  /** The key in the message; empty if the field is. */
  Optional<String> key(T message);

  /**
   * A key in the form in which it is compared.
   *
   * @throws RefusedCall if it does not have the form that the field demands
   */
  String canonical(String key);

  /** What makes two requests the same, without the key. */
  byte[] content(T message);

  /** The full name of the first message within that has fields unknown to the schema. */
  Optional<String> unknownFieldsIn(T message);
}
