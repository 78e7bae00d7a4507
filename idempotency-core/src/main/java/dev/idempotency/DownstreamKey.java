package dev.idempotency;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.IdempotencyKey;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/** Derives the keys of calls that an operation makes to other services. */
final class DownstreamKey {

  private DownstreamKey() {}

  /** A UUID of RFC 9562, section 5.8: version 8 and variant bits, the rest is ours. */
  static String of(IdempotencyKey key, String purpose) {
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      sha256.update(key.downstreamSeed());
      ByteBuffer digest = ByteBuffer.wrap(sha256.digest(purpose.getBytes(UTF_8)));
      long high = (digest.getLong() & ~0xF000L) | 0x8000L;
      long low = (digest.getLong() & 0x3FFF_FFFF_FFFF_FFFFL) | 0x8000_0000_0000_0000L;
      return new UUID(high, low).toString();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java platform has no SHA-256", e);
    }
  }
}
