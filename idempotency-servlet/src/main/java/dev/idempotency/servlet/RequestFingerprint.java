package dev.idempotency.servlet;

import dev.idempotency.store.Fingerprint;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import java.util.Optional;

/**
 * What must be the same in a retry, beside method, path, query, {@code Content-Type} and {@code
 * Content-Encoding}, which always must.
 *
 * <pre>{@code
 * filter.fingerprint(
 *     "body+version", RequestFingerprint.body().and(RequestFingerprint.headers("X-Api-Version")));
 * }</pre>
 *
 * <p>Implementations must be thread-safe, and give the same bytes for what they take for the same
 * request, in every process and every release.
 */
@FunctionalInterface
public interface RequestFingerprint {

  /**
   * Adds what counts.
   *
   * @param request as the filter got it; its body has been read
   * @param body all of it; of multipart requests that the container has parsed, a digest of all
   *     parts. Not to be changed
   * @param fingerprint to add to; each part is kept apart from the next
   */
  void addTo(HttpServletRequest request, byte[] body, Fingerprint.Builder fingerprint);

  /** The bytes of the body. The default. */
  static RequestFingerprint body() {
    return (request, body, fingerprint) -> fingerprint.add(body);
  }

  /**
   * The body as JSON: blanks, the order of members and the way characters are escaped do not count,
   * numbers are compared as they are written. A body that is not JSON, is nested deeper than 200
   * levels or has more than 20,000 members counts byte for byte. Needs {@code jackson-core} (2.15
   * or later) on the class path, which the filter does not bring.
   *
   * @throws IllegalStateException if {@code jackson-core} is missing: every request would fail
   */
  static RequestFingerprint canonicalJson() {
    try {
      CanonicalJson.load();
    } catch (LinkageError missing) {
      throw new IllegalStateException(
          "canonicalJson needs com.fasterxml.jackson.core:jackson-core, 2.15 or later, on the class"
              + " path",
          missing);
    }
    return (request, body, fingerprint) -> {
      Optional<byte[]> json = CanonicalJson.of(body);
      fingerprint.add(json.isPresent() ? "json" : "bytes").add(json.orElse(body));
    };
  }

  /** The values of these header fields, in this order. */
  static RequestFingerprint headers(String... names) {
    String[] all = names.clone();
    return (request, body, fingerprint) -> {
      for (String name : all) {
        List<String> values = FieldLines.of(request, name);
        values.forEach(fingerprint::add);
        fingerprint.add(name + ":" + values.size());
      }
    };
  }

  /** This, then the other. */
  default RequestFingerprint and(RequestFingerprint other) {
    return (request, body, fingerprint) -> {
      addTo(request, body, fingerprint);
      other.addTo(request, body, fingerprint);
    };
  }
}
