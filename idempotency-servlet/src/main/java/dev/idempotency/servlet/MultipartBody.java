package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.Part;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;
import java.util.Locale;
import java.util.TreeSet;

/**
 * A body of parts that the container parses, with the servlet's {@code multipart-config}: so its
 * limits hold, and large parts are on disk.
 */
final class MultipartBody {

  /** Heap of a part beside its content: its header fields in maps, its place in lists. */
  private static final int PART_BYTES = 1024;

  private MultipartBody() {}

  /** How parsing it ended. */
  sealed interface Reading {

    /**
     * The parts are there.
     *
     * @param digest of all of them, without the boundary
     * @param memory about how much heap they take, in bytes
     */
    record Parsed(byte[] digest, long memory) implements Reading {}

    /**
     * The container did not parse it: its servlet wants no parts, and the body is still there, or
     * it is broken or over a limit, and the body is not. Containers do not tell in one way.
     */
    record NotParsed(Exception why) implements Reading {}

    /** The parts are larger than the cap. */
    record TooLarge() implements Reading {}
  }

  static boolean isMultipart(HttpServletRequest request) {
    String type = request.getContentType();
    return type != null && type.strip().toLowerCase(Locale.ROOT).startsWith("multipart/form-data");
  }

  /** Lets the container parse it. */
  static Reading read(HttpServletRequest request, int cap) throws IOException {
    if (request.getContentLengthLong() > cap) {
      return new Reading.TooLarge();
    }
    Collection<Part> parts;
    try {
      parts = request.getParts();
    } catch (IOException | ServletException | RuntimeException e) {
      return new Reading.NotParsed(e);
    }
    if (parts.stream().mapToLong(Part::getSize).sum() > cap) {
      return new Reading.TooLarge();
    }
    return new Reading.Parsed(digest(parts), memory(parts));
  }

  /**
   * Whether these bytes can be a whole body. After a limit was passed the container may leave us
   * the rest of one.
   */
  static boolean mayBeWhole(byte[] body) {
    return body.length >= 2 && body[0] == '-' && body[1] == '-';
  }

  /** Those of files may lie on disk; fields are parameters, and texts, too. */
  private static long memory(Collection<Part> parts) {
    return parts.stream()
        .mapToLong(
            part -> PART_BYTES + (part.getSubmittedFileName() == null ? 3 * part.getSize() : 0))
        .sum();
  }

  /** Of parts in their order: header fields and content. */
  static byte[] digest(Collection<Part> parts) throws IOException {
    MessageDigest sha256;
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    try (DataOutputStream out =
        new DataOutputStream(new DigestOutputStream(OutputStream.nullOutputStream(), sha256))) {
      out.writeInt(parts.size());
      for (Part part : parts) {
        add(part, out);
      }
    }
    return sha256.digest();
  }

  /** Lengths come first, so that no two lists of parts look alike. */
  private static void add(Part part, DataOutputStream out) throws IOException {
    TreeSet<String> names = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    names.addAll(part.getHeaderNames());
    out.writeInt(names.size());
    for (String name : names) {
      Collection<String> values = part.getHeaders(name);
      text(name.toLowerCase(Locale.ROOT), out);
      out.writeInt(values.size());
      for (String value : values) {
        text(value, out);
      }
    }
    out.writeLong(part.getSize());
    try (InputStream content = part.getInputStream()) {
      content.transferTo(out);
    }
  }

  private static void text(String text, DataOutputStream out) throws IOException {
    byte[] bytes = text.getBytes(UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }
}
