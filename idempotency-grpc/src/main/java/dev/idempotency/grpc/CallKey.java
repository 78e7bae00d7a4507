package dev.idempotency.grpc;

import io.grpc.Metadata;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The key of a call, from the message field and the metadata together. */
final class CallKey {

  static final String HEADER_NAME = "idempotency-key";

  private static final Metadata.Key<String> HEADER =
      Metadata.Key.of(HEADER_NAME, Metadata.ASCII_STRING_MARSHALLER);
  private static final int MAX_LENGTH = dev.idempotency.store.IdempotencyKey.MAX_LENGTH;

  private CallKey() {}

  /**
   * The key in its compared form, or none if the call has none.
   *
   * @throws RefusedCall if it is malformed, or field and metadata differ
   */
  static <T> Optional<String> of(
      RequestReader<T> reader, RequestReader.ReadRequest<T> request, Metadata headers) {
    Optional<String> field = request.key().map(key -> checked(reader, reader.keyLocation(), key));
    Optional<String> header = header(headers).map(key -> checked(reader, HEADER_NAME, key));
    if (field.isPresent() && header.isPresent() && !field.equals(header)) {
      throw new RefusedCall(OwnAnswer.keysDiffer(reader.keyLocation()));
    }
    return field.or(() -> header);
  }

  private static Optional<String> header(Metadata headers) {
    Iterable<String> values = headers.getAll(HEADER);
    if (values == null) {
      return Optional.empty();
    }
    List<String> all = new ArrayList<>();
    values.forEach(all::add);
    if (all.size() > 1) {
      throw new RefusedCall(
          OwnAnswer.malformedKey(HEADER_NAME, "it is there " + all.size() + " times"));
    }
    return all.stream().filter(key -> !key.isEmpty()).findFirst();
  }

  private static String checked(RequestReader<?> reader, String location, String key) {
    if (key.length() > MAX_LENGTH) {
      throw new RefusedCall(
          OwnAnswer.malformedKey(
              location, "it has " + key.length() + " characters; at most " + MAX_LENGTH));
    }
    if (key.isBlank() || key.chars().anyMatch(Character::isISOControl)) {
      throw new RefusedCall(
          OwnAnswer.malformedKey(location, "it is blank or has control characters"));
    }
    return reader.canonical(key);
  }
}
