package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The name of one operation: what the client sent, within the scope it was sent in.
 *
 * <p>Two callers with different scopes never meet, whatever keys they choose. Stores, logs and
 * operators see a digest of it: under the {@link KeySecrets} of the engine's store, which gives a
 * key its digests when a request begins, or else a plain one, from which an order number or a mail
 * address is found by trying. Two keys are equal if scope and value are. Immutable.
 */
public final class IdempotencyKey {

  /** Longest accepted key, in characters. */
  public static final int MAX_LENGTH = 255;

  /** Longest accepted scope, in characters. */
  public static final int MAX_SCOPE_LENGTH = 1024;

  private final String scope;
  private final String value;

  /** Digests under the secrets of a store, the one to write under first; empty for a plain one. */
  private final List<KeyDigest> digests;

  private IdempotencyKey(String scope, String value, List<KeyDigest> digests) {
    this.scope = scope;
    this.value = value;
    this.digests = digests;
  }

  /**
   * A key in a scope.
   *
   * @param scope tenant or principal; empty where the application has only one; at most {@value
   *     #MAX_SCOPE_LENGTH} characters
   * @param value the client's key, 1 to {@value #MAX_LENGTH} characters
   * @throws IllegalArgumentException if the value is empty or too long, the scope is too long, or
   *     one of them is not well-formed Unicode (a surrogate without its other half): such text has
   *     no bytes of its own, so two of them would share one digest
   */
  public IdempotencyKey(String scope, String value) {
    this(scope, value, List.of());
    if (value.isEmpty()) {
      throw new IllegalArgumentException(
          "idempotency key is empty; it must have 1 to 255 characters");
    }
    if (value.length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          "idempotency key has " + value.length() + " characters; at most " + MAX_LENGTH);
    }
    if (scope.length() > MAX_SCOPE_LENGTH) {
      throw new IllegalArgumentException(
          "scope has "
              + scope.length()
              + " characters; at most "
              + MAX_SCOPE_LENGTH
              + "; use a shorter identifier of the tenant or principal");
    }
    checkWellFormed("idempotency key", value);
    checkWellFormed("scope", scope);
  }

  private static void checkWellFormed(String what, String text) {
    for (int i = 0; i < text.length(); i++) {
      if (Character.isSurrogate(text.charAt(i))) {
        if (!Character.isSupplementaryCodePoint(text.codePointAt(i))) {
          throw new IllegalArgumentException(
              what
                  + " is not well-formed Unicode: the surrogate at position "
                  + i
                  + " lacks its other half");
        }
        i++;
      }
    }
  }

  /** A key in the empty scope. */
  public static IdempotencyKey of(String value) {
    return new IdempotencyKey("", value);
  }

  /** Tenant or principal; empty where the application has only one. */
  public String scope() {
    return scope;
  }

  /** The client's key. */
  public String value() {
    return value;
  }

  /**
   * This key with digests under secrets.
   *
   * @param under at least one, the one to write under first
   */
  IdempotencyKey withDigests(List<KeyDigest> under) {
    return new IdempotencyKey(scope, value, List.copyOf(under));
  }

  List<KeyDigest> keyDigests() {
    return digests.isEmpty() ? List.of(KeyDigest.plain(this)) : digests;
  }

  /**
   * This key, to be written under another of its digests.
   *
   * @param index into {@link #digests()}
   */
  public IdempotencyKey under(int index) {
    if (index == 0) {
      return this;
    }
    List<KeyDigest> order = new ArrayList<>(digests);
    order.add(0, order.remove(index));
    return withDigests(order);
  }

  /**
   * The digest under which a record of this key is written, 32 bytes, a new array at each call.
   * Without a secret it is SHA-256 of scope and value. The scope's length comes first, so no scope
   * and value can be re-cut into another pair with the same digest.
   */
  public byte[] digest() {
    return digests.isEmpty() ? plainDigest() : digests.get(0).bytes();
  }

  /**
   * All digests under which a record of this key may stand, the one to write under first: more than
   * one while a secret is being turned on or replaced.
   */
  public List<byte[]> digests() {
    return keyDigests().stream().map(KeyDigest::bytes).toList();
  }

  /**
   * A key of which only the digest is known, as operators have it.
   *
   * @param digest of a record, 32 bytes
   * @param scopeTag that the record has
   */
  public static IdempotencyKey ofDigest(byte[] digest, byte[] scopeTag) {
    return new IdempotencyKey(
        "",
        HexFormat.of().formatHex(digest),
        List.of(new KeyDigest(null, digest.clone(), null, scopeTag.clone())));
  }

  /**
   * What a record says of its scope, 16 bytes: a MAC that only who has the secret can connect to a
   * scope, and that two records of one scope do not share. Zero without a secret.
   */
  public byte[] scopeTag() {
    return keyDigests().get(0).scopeTag().clone();
  }

  byte[] plainDigest() {
    byte[] scopeBytes = scope.getBytes(UTF_8);
    MessageDigest sha256 = Digests.sha256();
    sha256.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, scopeBytes.length));
    sha256.update(scopeBytes);
    return sha256.digest(value.getBytes(UTF_8));
  }

  /**
   * Secret bytes for keys of calls that the operation makes to other services, 32: they stay the
   * same when the secret of digests is replaced.
   */
  public byte[] downstreamSeed() {
    return keyDigests().get(0).downstreamSeed(this);
  }

  /** The digest in lower-case hex, 64 characters: what stores, logs and operators may show. */
  public String digestHex() {
    return HexFormat.of().formatHex(digest());
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof IdempotencyKey that
        && value.equals(that.value)
        && scope.equals(that.scope);
  }

  @Override
  public int hashCode() {
    return 31 * scope.hashCode() + value.hashCode();
  }

  /**
   * Shows the beginning of the digest once an engine has given the key its digests; before that, a
   * digest that is not keyed yet must not get into a log, and it shows nothing of the key.
   */
  @Override
  public String toString() {
    return digests.isEmpty() ? "key" : "key#" + digestHex().substring(0, 16);
  }
}
