package dev.idempotency.servlet;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/**
 * SHA-256 over texts, each with its length in front, so that no two lists look alike. Takes the
 * characters themselves: an encoding would make the same bytes of all lone surrogates. Holds none
 * of them. Not thread-safe.
 */
final class TextDigest {

  private final MessageDigest sha256;
  private final ByteBuffer chunk = ByteBuffer.allocate(4 * 1024);

  TextDigest() {
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  TextDigest add(String text) {
    add(text.length());
    for (int i = 0; i < text.length(); i++) {
      room(Character.BYTES);
      chunk.putChar(text.charAt(i));
    }
    return this;
  }

  TextDigest add(int number) {
    room(Integer.BYTES);
    chunk.putInt(number);
    return this;
  }

  TextDigest add(byte[] bytes) {
    add(bytes.length);
    for (byte each : bytes) {
      room(1);
      chunk.put(each);
    }
    return this;
  }

  private void room(int bytes) {
    if (chunk.remaining() < bytes) {
      flush();
    }
  }

  private void flush() {
    sha256.update(chunk.array(), 0, chunk.position());
    chunk.clear();
  }

  /** The digest; what is added from now on is another one. */
  byte[] bytes() {
    flush();
    return sha256.digest();
  }
}
