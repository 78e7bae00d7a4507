package dev.idempotency.client;

/**
 * How a key is sent over HTTP.
 *
 * @param name of the header
 * @param quoted whether as a Structured Field String (RFC 9651), as the IETF draft has it; a key
 *     has no character that would need an escape
 */
record KeyHeader(String name, boolean quoted) {

  static final KeyHeader DEFAULT = new KeyHeader("Idempotency-Key", false);

  String format(RequestKey key) {
    return quoted ? '"' + key.value() + '"' : key.value();
  }
}
