package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.http.HttpServletRequest;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.Principal;
import java.security.cert.X509Certificate;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Names the scope of a request: who the caller is, as far as keys are concerned. Two scopes never
 * share a key, so each way of naming a caller has a prefix of its own. Immutable.
 */
final class CallerScope {

  /** The scope of all callers whom nothing identifies; no identity has a scope without a colon. */
  static final String ANONYMOUS = "anonymous";

  /** Most characters of an identity that stand in a scope; of a longer one stands its digest. */
  private static final int MAX_LENGTH = 512;

  private static final String CERTIFICATES = "jakarta.servlet.request.X509Certificate";

  private final Function<HttpServletRequest, Reading> reader;

  private CallerScope(Function<HttpServletRequest, Reading> reader) {
    this.reader = reader;
  }

  /** What a request says of its caller. */
  sealed interface Reading {

    /** The scope of the caller's keys. */
    record Known(String scope) implements Reading {}

    /** An identity that could be taken for another one. */
    record Unusable(String detail) implements Reading {}
  }

  static CallerScope ofPrincipal() {
    return new CallerScope(CallerScope::principal);
  }

  static CallerScope ofHeader(String name) {
    if (!KeyHeader.isToken(name)) {
      throw new IllegalArgumentException("not a header name: \"" + name + "\"");
    }
    String prefix = "header(" + name.toLowerCase(Locale.ROOT) + ")";
    return new CallerScope(request -> header(request, name, prefix));
  }

  static CallerScope of(Function<HttpServletRequest, Optional<String>> identity) {
    return new CallerScope(
        request -> identified("scope", identity.apply(request).filter(name -> !name.isEmpty())));
  }

  static CallerScope ofAllCallers() {
    return new CallerScope(request -> new Reading.Known(""));
  }

  Reading read(HttpServletRequest request) {
    return reader.apply(request);
  }

  private static Reading principal(HttpServletRequest request) {
    Principal principal = request.getUserPrincipal();
    if (principal == null) {
      return new Reading.Known(ANONYMOUS);
    }
    @Nullable String name = principal.getName();
    return identified("principal" + authority(request), Optional.of(name == null ? "" : name));
  }

  /** One name may stand for two people, where two schemes or two issuers give it. */
  private static String authority(HttpServletRequest request) {
    String scheme = request.getAuthType();
    if (scheme == null) {
      return "";
    }
    String issuer = "";
    if (scheme.equals(HttpServletRequest.CLIENT_CERT_AUTH)
        && request.getAttribute(CERTIFICATES) instanceof X509Certificate[] chain
        && chain.length > 0) {
      issuer = "," + chain[0].getIssuerX500Principal().getName();
    }
    return "(" + (scheme + issuer).replace("%", "%25").replace(")", "%29") + ")";
  }

  private static Reading header(HttpServletRequest request, String name, String prefix) {
    List<String> lines = FieldLines.of(request, name);
    if (lines.isEmpty()) {
      return new Reading.Known(ANONYMOUS);
    }
    if (lines.size() > 1) {
      return new Reading.Unusable(
          "The header " + name + " says who the caller is and came more than once; send it once.");
    }
    return identified(prefix, Optional.of(lines.get(0).strip()).filter(text -> !text.isEmpty()));
  }

  private static Reading identified(String prefix, Optional<String> identity) {
    if (identity.isEmpty()) {
      return new Reading.Known(ANONYMOUS);
    }
    byte[] bytes;
    String whole = prefix + ":" + identity.get();
    try {
      // A lone surrogate has no bytes of its own: it would share those of "?".
      bytes = bytes(whole);
    } catch (CharacterCodingException e) {
      return new Reading.Unusable("The caller's name is not well-formed Unicode.");
    }
    return new Reading.Known(
        whole.length() <= MAX_LENGTH
            ? whole
            : "sha-256:" + HexFormat.of().formatHex(sha256(bytes)));
  }

  private static byte[] bytes(String text) throws CharacterCodingException {
    var encoded = UTF_8.newEncoder().encode(CharBuffer.wrap(text));
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
