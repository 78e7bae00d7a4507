package dev.idempotency.client;

import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.Message;
import dev.idempotency.proto.KeyField;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** Finds and writes the keys of calls. Remembers where each method has its own. Thread-safe. */
final class KeyFields {

  private static final Metadata.Key<String> HEADER =
      Metadata.Key.of("idempotency-key", Metadata.ASCII_STRING_MARSHALLER);

  /** A client calls few methods; more than this are made up. */
  private static final int MAX_METHODS = 1024;

  private final ConcurrentHashMap<MethodDescriptor<?, ?>, Optional<KeyField>> known =
      new ConcurrentHashMap<>();

  /** A request as it is sent. */
  record Keyed<ReqT>(ReqT message, Optional<RequestKey> key) {}

  /**
   * The request with its key; the metadata get it where no field can.
   *
   * @throws io.grpc.StatusException if the request has another key than the call
   */
  <ReqT> Keyed<ReqT> write(
      MethodDescriptor<ReqT, ?> method, ReqT message, Metadata headers, Optional<RequestKey> given)
      throws io.grpc.StatusException {
    Optional<KeyField> field =
        message instanceof Message ? fieldOf(method) : Optional.<KeyField>empty();
    Optional<String> there =
        field
            .flatMap(at -> at.read((Message) message))
            .or(() -> Optional.ofNullable(headers.get(HEADER)));
    if (given.isEmpty()) {
      return new Keyed<>(message, there.flatMap(KeyFields::parsed));
    }
    String key = given.get().value();
    if (there.isPresent() && !there.get().equals(key)) {
      throw Status.INVALID_ARGUMENT
          .withDescription(
              "nothing was sent: the request has another idempotency key than the call; set one of"
                  + " them")
          .asException();
    }
    if (field.isEmpty()) {
      headers.discardAll(HEADER);
      headers.put(HEADER, key);
      return new Keyed<>(message, given);
    }
    @SuppressWarnings("unchecked") // A message's builder makes its own type.
    ReqT written = (ReqT) field.get().write((Message) message, key);
    return new Keyed<>(written, given);
  }

  /** A key that the application made by rules of its own can be no {@link RequestKey}. */
  private static Optional<RequestKey> parsed(String text) {
    try {
      return Optional.of(new RequestKey(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private Optional<KeyField> fieldOf(MethodDescriptor<?, ?> method) {
    Optional<KeyField> found = known.get(method);
    if (found == null) {
      found = KeyField.of(method);
      if (known.size() < MAX_METHODS) {
        known.put(method, found);
      }
    }
    return found;
  }

  /** Whether a method's calls may be repeated without a key. */
  static boolean isSafe(MethodDescriptor<?, ?> method) {
    return method.isSafe()
        || (method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier supplier
            && supplier.getMethodDescriptor().getOptions().getIdempotencyLevel()
                == IdempotencyLevel.NO_SIDE_EFFECTS);
  }
}
