package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Names the scope of a call's key. Two scopes never share a key, so each way of naming a caller has
 * a prefix of its own, the same as for HTTP. Immutable.
 *
 * @param prefix of the identities; empty if all callers are one
 * @param identity says who calls
 */
record CallerScope(String prefix, CallScope identity) {

  /** The scope of all callers whom nothing identifies; no identity has a scope without a colon. */
  static final String ANONYMOUS = "anonymous";

  /** Most characters of an identity that stand in a scope; of a longer one stands its digest. */
  private static final int MAX_LENGTH = 512;

  static CallerScope by(CallScope identity) {
    return new CallerScope("scope:", identity);
  }

  static CallerScope byContext(Context.Key<String> key) {
    return new CallerScope(
        "context(" + key + "):",
        (call, headers) -> {
          @Nullable String value = key.get();
          return Optional.ofNullable(value);
        });
  }

  static CallerScope byMetadata(String name) {
    Metadata.Key<String> key = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    return new CallerScope(
        "metadata(" + name.toLowerCase(Locale.ROOT) + "):", (call, headers) -> one(headers, key));
  }

  static CallerScope ofAllCallers() {
    return new CallerScope("", (call, headers) -> Optional.empty());
  }

  private static Optional<String> one(Metadata headers, Metadata.Key<String> key) {
    Iterable<String> values = headers.getAll(key);
    if (values == null) {
      return Optional.empty();
    }
    List<String> all = new ArrayList<>();
    values.forEach(all::add);
    if (all.size() > 1) {
      throw new RefusedCall(
          OwnAnswer.callerUnclear(
              "metadata "
                  + key.name()
                  + " says who the caller is, but is there "
                  + all.size()
                  + " times; send it once"));
    }
    return all.stream().findFirst();
  }

  /** The scope of a call. */
  String of(ServerCall<?, ?> call, Metadata headers) {
    if (prefix.isEmpty()) {
      return "";
    }
    Optional<String> caller = identity.of(call, headers).filter(name -> !name.isEmpty());
    if (caller.isEmpty()) {
      return ANONYMOUS;
    }
    String scope = prefix + caller.get();
    ByteBuffer bytes;
    try {
      // A lone surrogate has no bytes of its own: it would share those of "?".
      bytes = UTF_8.newEncoder().encode(CharBuffer.wrap(scope));
    } catch (CharacterCodingException e) {
      throw new RefusedCall(
          OwnAnswer.callerUnclear("the caller's identity is not well-formed Unicode"));
    }
    return scope.length() <= MAX_LENGTH
        ? scope
        : "sha-256:" + HexFormat.of().formatHex(sha256(bytes));
  }

  private static byte[] sha256(ByteBuffer bytes) {
    try {
      MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
      sha256.update(bytes);
      return sha256.digest();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256, which every Java must have", e);
    }
  }
}
