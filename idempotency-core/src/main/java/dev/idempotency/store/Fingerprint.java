package dev.idempotency.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What a request asks for, and who asks, in {@value #LENGTH} bytes. A second request with the same
 * key must have the same one.
 *
 * <p>Three parts, in this order: an 8-byte tag that names the algorithm and the schema of the
 * request; a 16-byte digest of the caller's credential (zero where the scope already separates
 * callers); the 32-byte SHA-256 of the request. The caller is always compared. The request is
 * compared only under equal tags: two ways of digesting say nothing of each other (see {@link
 * Comparison#INCOMPARABLE}). What must be compared whatever the tag (a method, a path) stands in
 * the caller's part. Immutable.
 */
public final class Fingerprint {

  /** Size in bytes. */
  public static final int LENGTH = 56;

  private static final int CALLER_OFFSET = 8;
  private static final int REQUEST_OFFSET = 24;

  private final byte[] bytes;

  /** Itself under other secrets; see {@link KeySecrets}. */
  private final List<byte[]> others;

  private Fingerprint(byte[] bytes) {
    this(bytes, List.of());
  }

  private Fingerprint(byte[] bytes, List<byte[]> others) {
    this.bytes = bytes;
    this.others = others;
  }

  /** How two fingerprints relate. */
  public enum Comparison {
    /** Same caller, same request. */
    SAME,
    /** Another caller or another request: neither replay nor run. */
    DIFFERENT,
    /** Same caller, but digested in another way: nothing can be said about the request. */
    INCOMPARABLE
  }

  /**
   * The fingerprint with these bytes.
   *
   * @throws IllegalArgumentException unless there are exactly {@value #LENGTH}
   */
  public static Fingerprint of(byte[] bytes) {
    if (bytes.length != LENGTH) {
      throw new IllegalArgumentException(
          "a fingerprint has " + LENGTH + " bytes, not " + bytes.length);
    }
    return new Fingerprint(bytes.clone());
  }

  /**
   * Starts a fingerprint.
   *
   * @param tag names the algorithm and the schema, for example {@code "http/1"}
   */
  public static Builder builder(String tag) {
    return new Builder(tag);
  }

  /**
   * Compares with the fingerprint of another request with the same key. Of one that is known under
   * several secrets, each form is tried: what was stored is under one of them.
   */
  public Comparison compare(Fingerprint other) {
    Comparison best = compare(bytes, other.bytes);
    for (byte[] mine : others) {
      best = closer(best, compare(mine, other.bytes));
    }
    for (byte[] theirs : other.others) {
      best = closer(best, compare(bytes, theirs));
    }
    return best;
  }

  private static Comparison closer(Comparison one, Comparison another) {
    if (one == Comparison.SAME || another == Comparison.SAME) {
      return Comparison.SAME;
    }
    return one == Comparison.INCOMPARABLE ? one : another;
  }

  private static Comparison compare(byte[] one, byte[] another) {
    if (differ(one, another, CALLER_OFFSET, REQUEST_OFFSET)) {
      return Comparison.DIFFERENT;
    }
    if (differ(one, another, 0, CALLER_OFFSET)) {
      return Comparison.INCOMPARABLE;
    }
    return differ(one, another, REQUEST_OFFSET, LENGTH) ? Comparison.DIFFERENT : Comparison.SAME;
  }

  private static boolean differ(byte[] one, byte[] another, int from, int to) {
    return !Arrays.equals(one, from, to, another, from, to);
  }

  /**
   * This fingerprint of a request with a key, under the secrets of its digests, in their order: the
   * caller and the request are MACs then, bound to the key, so that neither can be found by trying
   * and the records of one caller have nothing in common. The tag stays.
   */
  Fingerprint under(IdempotencyKey key) {
    List<byte[]> forms = new ArrayList<>();
    for (KeyDigest digest : key.keyDigests()) {
      forms.add(form(digest));
    }
    return new Fingerprint(forms.get(0), List.copyOf(forms.subList(1, forms.size())));
  }

  private byte[] form(KeyDigest digest) {
    KeySecrets.Secret secret = digest.secret();
    if (secret == null) {
      return bytes;
    }
    byte[] form = bytes.clone();
    byte[] caller = Arrays.copyOfRange(bytes, CALLER_OFFSET, REQUEST_OFFSET);
    if (!Arrays.equals(caller, new byte[caller.length])) {
      byte[] keyed = secret.fingerprintMac(digest.digest(), caller);
      System.arraycopy(keyed, 0, form, CALLER_OFFSET, caller.length);
    }
    byte[] request = Arrays.copyOfRange(bytes, REQUEST_OFFSET, LENGTH);
    System.arraycopy(
        secret.fingerprintMac(digest.digest(), request), 0, form, REQUEST_OFFSET, request.length);
    return form;
  }

  /**
   * This fingerprint in the form that belongs to another digest of its key.
   *
   * @param index as for {@link IdempotencyKey#under(int)}
   */
  public Fingerprint under(int index) {
    if (index == 0 || others.isEmpty()) {
      return this;
    }
    List<byte[]> order = new ArrayList<>(others);
    byte[] chosen = order.remove(index - 1);
    order.add(0, bytes);
    return new Fingerprint(chosen, List.copyOf(order));
  }

  /** A copy of the bytes. */
  public byte[] toBytes() {
    return bytes.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Fingerprint that && Arrays.equals(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  @Override
  public String toString() {
    return "Fingerprint[" + Integer.toHexString(hashCode()) + "]";
  }

  /**
   * Digests a request part by part. Each part is preceded by its length, so parts cannot be re-cut
   * into another request with the same digest. Not thread-safe; used once.
   */
  public static final class Builder {

    private final byte[] tag;
    private byte[] caller = new byte[REQUEST_OFFSET - CALLER_OFFSET];
    private final MessageDigest request = Digests.sha256();

    private Builder(String tag) {
      this.tag = Digests.sha256().digest(tag.getBytes(UTF_8));
    }

    /** Binds the fingerprint to a credential; only its truncated SHA-256 is kept. */
    public Builder caller(String credential) {
      caller =
          Arrays.copyOf(
              Digests.sha256().digest(credential.getBytes(UTF_8)), REQUEST_OFFSET - CALLER_OFFSET);
      return this;
    }

    /** Adds a text. */
    public Builder add(String part) {
      return add(part.getBytes(UTF_8));
    }

    /** Adds bytes, whole. */
    public Builder add(byte[] part) {
      return add(ByteBuffer.wrap(part));
    }

    /** Adds the remaining bytes of a buffer, whole; the buffer's position is left alone. */
    public Builder add(ByteBuffer part) {
      request.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, part.remaining()));
      request.update(part.duplicate());
      return this;
    }

    /** The fingerprint. */
    public Fingerprint build() {
      byte[] bytes = new byte[LENGTH];
      System.arraycopy(tag, 0, bytes, 0, CALLER_OFFSET);
      System.arraycopy(caller, 0, bytes, CALLER_OFFSET, caller.length);
      System.arraycopy(request.digest(), 0, bytes, REQUEST_OFFSET, LENGTH - REQUEST_OFFSET);
      return new Fingerprint(bytes);
    }
  }
}
