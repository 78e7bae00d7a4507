package dev.idempotency.servlet;

/** A stored response cannot be read: damaged, or written by a newer version. */
final class CorruptRecordException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  CorruptRecordException(String message) {
    super(message);
  }
}
