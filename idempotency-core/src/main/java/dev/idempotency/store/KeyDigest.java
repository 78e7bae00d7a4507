package dev.idempotency.store;

import dev.idempotency.store.KeySecrets.Secret;
import org.jspecify.annotations.Nullable;

/**
 * The digest of a key under one secret, or under none. Immutable.
 *
 * @param secret null for the plain digest
 * @param digest 32 bytes
 * @param lasting under which keys for other services are derived; null with the plain digest
 * @param scopeTag zero with the plain digest
 */
record KeyDigest(
    @Nullable Secret secret, byte[] digest, @Nullable Secret lasting, byte[] scopeTag) {

  /** Length of the tag of a scope in bytes. */
  static final int TAG_LENGTH = 16;

  static KeyDigest plain(IdempotencyKey key) {
    return plain(key.plainDigest());
  }

  static KeyDigest plain(byte[] digest) {
    return new KeyDigest(null, digest, null, new byte[TAG_LENGTH]);
  }

  byte[] bytes() {
    return digest.clone();
  }

  byte[] downstreamSeed(IdempotencyKey key) {
    return lasting == null ? bytes() : lasting.downstreamSeed(key.plainDigest());
  }
}
