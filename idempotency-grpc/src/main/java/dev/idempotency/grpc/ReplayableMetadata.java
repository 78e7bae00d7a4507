package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.grpc.Metadata;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Chooses the metadata that is stored with an outcome: the application's own, never what belongs to
 * one transport, one connection or one caller's session.
 *
 * @param only names to keep, in lower case; empty to keep all that may be kept
 */
record ReplayableMetadata(Optional<Set<String>> only) {

  private static final String STATUS_DETAILS = "grpc-status-details-bin";
  private static final Set<String> NEVER =
      Set.of(
          "content-type",
          "te",
          "user-agent",
          "connection",
          "authorization",
          "proxy-authorization",
          "cookie",
          "set-cookie",
          AnswerDelivery.REPLAYED_NAME,
          CallKey.HEADER_NAME);

  /** Whether a name may be stored at all. */
  static boolean mayBeKept(String name) {
    return name.equals(STATUS_DETAILS) || !(name.startsWith("grpc-") || NEVER.contains(name));
  }

  private boolean keeps(String name) {
    return mayBeKept(name)
        && (name.equals(STATUS_DETAILS) || only.isEmpty() || only.get().contains(name));
  }

  /** Names and values of what is kept, in order. */
  List<Map.Entry<String, byte[]>> entriesOf(Metadata metadata) {
    List<Map.Entry<String, byte[]>> entries = new ArrayList<>();
    for (String name : metadata.keys()) {
      if (!keeps(name)) {
        continue;
      }
      if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        for (byte[] value : all(metadata, name, Metadata.BINARY_BYTE_MARSHALLER)) {
          entries.add(Map.entry(name, value));
        }
      } else {
        for (String value : all(metadata, name, Metadata.ASCII_STRING_MARSHALLER)) {
          entries.add(Map.entry(name, value.getBytes(US_ASCII)));
        }
      }
    }
    return entries;
  }

  private static Iterable<byte[]> all(
      Metadata metadata, String name, Metadata.BinaryMarshaller<byte[]> marshaller) {
    Iterable<byte[]> values = metadata.getAll(Metadata.Key.of(name, marshaller));
    return values == null ? List.of() : values;
  }

  private static Iterable<String> all(
      Metadata metadata, String name, Metadata.AsciiMarshaller<String> marshaller) {
    Iterable<String> values = metadata.getAll(Metadata.Key.of(name, marshaller));
    return values == null ? List.of() : values;
  }
}
