package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.IdempotencyKey;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The part of a Redis that belongs to one application: the names of its keys and of its channel.
 *
 * <p>A Redis key is the prefix, the namespace, a colon, and the {@value #DIGEST_LENGTH} bytes of
 * {@link IdempotencyKey#digest()}. A different prefix can make two namespaces meet in one Redis
 * key, so every record carries {@link #tag()} as well, which is compared. Immutable and
 * thread-safe.
 */
final class KeySpace {

  /** Size of the digest of a key in bytes. */
  static final int DIGEST_LENGTH = 32;

  private final byte[] prefix;
  private final byte[] channel;
  private final long tag;

  KeySpace(String keyPrefix, String namespace) {
    this.prefix = (keyPrefix + namespace + ":").getBytes(US_ASCII);
    this.channel = (keyPrefix + namespace + ":settled").getBytes(US_ASCII);
    this.tag = ByteBuffer.wrap(sha256(namespace)).getLong();
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(US_ASCII));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java platform has no SHA-256", e);
    }
  }

  /** The Redis key of a record. */
  byte[] redisKey(IdempotencyKey key) {
    return redisKey(key.digest());
  }

  /** The Redis keys at which a record of a key may stand, the one to write at first. */
  List<byte[]> redisKeys(IdempotencyKey key) {
    return key.digests().stream().map(this::redisKey).toList();
  }

  /** The Redis key of the record of a key with this digest. */
  byte[] redisKey(byte[] digest) {
    return ByteBuffer.allocate(prefix.length + digest.length).put(prefix).put(digest).array();
  }

  /** The digest in a Redis key; empty if that is not one of this key space. */
  Optional<byte[]> digest(byte[] redisKey) {
    boolean own =
        redisKey.length == prefix.length + DIGEST_LENGTH
            && Arrays.equals(redisKey, 0, prefix.length, prefix, 0, prefix.length);
    return own
        ? Optional.of(Arrays.copyOfRange(redisKey, prefix.length, redisKey.length))
        : Optional.empty();
  }

  /** Matches the Redis keys of this key space, and perhaps more, in {@code SCAN}. */
  byte[] pattern() {
    return (new String(prefix, US_ASCII).replaceAll("[*?\\[\\]\\\\^-]", "\\\\$0") + "*")
        .getBytes(US_ASCII);
  }

  /** The channel on which ended keys are announced, each by its digest. */
  byte[] channel() {
    return channel.clone();
  }

  /** What an ACL rule must grant: the smallest that is tested. */
  String aclRule() {
    String keys = new String(prefix, US_ASCII);
    return "~"
        + keys
        + "* &"
        + new String(channel, US_ASCII)
        + " +set +get +getrange +setrange +pttl +pexpire +del +scan +eval +evalsha +publish"
        + " +subscribe +unsubscribe +ping +info";
  }

  /**
   * {@link #aclRule()} as a shell needs it, to which {@code ~} and {@code &} mean something else.
   */
  String quotedAclRule() {
    return aclRule().replaceAll("[~&]\\S+", "'$0'");
  }

  /** Names the namespace in a record: the first 8 bytes of its SHA-256. */
  long tag() {
    return tag;
  }
}
