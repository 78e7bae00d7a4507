package dev.idempotency.grpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The field of a method's request that holds the key: the one that the method option or the service
 * option names, the one that is marked as key, or by convention a string {@code idempotency_key} or
 * a string {@code request_id} that is marked as AIP-155 says, with {@code google.api.field_info}
 * format UUID4. Server and client find it in the same way. Immutable.
 */
public final class KeyField {

  private static final String CONVENTION = "idempotency_key";

  /** AIP-155: a request id by which duplicates are found, marked as a UUID of version 4. */
  private static final String AIP_155 = "request_id";

  private final KeyPath path;

  private KeyField(KeyPath path) {
    this.path = path;
  }

  /**
   * The field as the .proto says it.
   *
   * @return empty if nothing speaks of a field, or the requests cannot be read by descriptor
   * @throws IllegalArgumentException if what the .proto says is invalid; names the method
   */
  public static Optional<KeyField> of(MethodDescriptor<?, ?> method) {
    com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto = protoOf(method);
    try {
      Optional<Descriptor> request = requestOf(method, proto);
      Optional<String> named =
          proto == null || request.isEmpty()
              ? Optional.empty()
              : PolicyOptions.settings(PolicyOptions.ofMethod(proto))
                  .orElse(PolicyOptions.settings(PolicyOptions.ofService(proto)))
                  .keyField();
      return path(named, request, request.flatMap(KeyField::markedKey)).map(KeyField::new);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "method " + method.getFullMethodName() + ": " + e.getMessage(), e);
    }
  }

  /** The key in a request; empty if it has none. */
  public Optional<String> read(Message request) {
    return path.in(request.getDescriptorForType()).find(request).filter(key -> !key.isEmpty());
  }

  /** The same request with this key. */
  public Message write(Message request, String key) {
    Message.Builder builder = request.toBuilder();
    path.in(request.getDescriptorForType()).write(builder, key);
    return builder.build();
  }

  @Override
  public String toString() {
    return path.dotted();
  }

  /** Where the key stands: at the path that a policy names, at the mark, or by convention. */
  static Optional<KeyPath> path(
      Optional<String> named, Optional<Descriptor> request, Optional<KeyPath> marked) {
    if (named.isPresent()) {
      String path = named.get();
      return Optional.of(
          KeyPath.of(
              request.orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "key field \""
                              + path
                              + "\" needs a protobuf request with descriptors;"
                              + " use a KeyExtractor")),
              path));
    }
    return marked.or(
        () -> request.flatMap(KeyField::conventional).map(field -> new KeyPath(List.of(field))));
  }

  private static Optional<FieldDescriptor> conventional(Descriptor request) {
    return string(request, CONVENTION)
        .or(() -> string(request, AIP_155).filter(PolicyOptions::isUuid4));
  }

  private static Optional<FieldDescriptor> string(Descriptor request, String name) {
    return Optional.ofNullable(request.findFieldByName(name))
        .filter(field -> field.getType() == FieldDescriptor.Type.STRING && !field.isRepeated());
  }

  /**
   * Refuses a request whose key by convention cannot be one: its author believes that it is.
   *
   * @throws IllegalArgumentException if there is such a field
   */
  static void checkConvention(Descriptor request) {
    FieldDescriptor field = request.findFieldByName(CONVENTION);
    if (field == null || string(request, CONVENTION).isPresent()) {
      return;
    }
    boolean isWrapped =
        field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
            && field.getMessageType().getFullName().equals("google.protobuf.StringValue");
    throw new IllegalArgumentException(
        "field "
            + field.getFullName()
            + " is named as a key, but is "
            + (field.isRepeated() ? "repeated" : KeyPath.typeOf(field))
            + "; a key is a singular string: "
            + (isWrapped
                ? "set key_field to \"" + CONVENTION + ".value\""
                : "change its type, name another field in key_field")
            + ", or set mode to MODE_DISABLED if it is no key");
  }

  static com.google.protobuf.Descriptors.@Nullable MethodDescriptor protoOf(
      MethodDescriptor<?, ?> method) {
    return method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier supplier
        ? supplier.getMethodDescriptor()
        : null;
  }

  /** The type of the messages that the marshaller makes, if they can be read by descriptor. */
  static Optional<Descriptor> requestOf(
      MethodDescriptor<?, ?> method,
      com.google.protobuf.Descriptors.@Nullable MethodDescriptor proto) {
    if (method.getRequestMarshaller() instanceof MethodDescriptor.PrototypeMarshaller<?> marshaller
        && marshaller.getMessagePrototype() != null) {
      return marshaller.getMessagePrototype() instanceof Message message
          ? Optional.of(message.getDescriptorForType())
          : Optional.empty();
    }
    return proto == null ? Optional.empty() : Optional.of(proto.getInputType());
  }

  static Optional<KeyPath> markedKey(Descriptor request) {
    List<KeyPath> found = new ArrayList<>();
    search(request, List.of(), new HashSet<>(), found);
    if (found.size() > 1) {
      throw new IllegalArgumentException(
          "more than one field is marked as key: "
              + found.stream().map(KeyPath::dotted).collect(Collectors.joining(", ")));
    }
    return found.stream().findFirst();
  }

  /** Stops at the second: one is enough to refuse the schema. */
  private static void search(
      Descriptor type, List<FieldDescriptor> before, Set<Descriptor> seen, List<KeyPath> found) {
    seen.add(type);
    for (FieldDescriptor field : type.getFields()) {
      if (found.size() > 1) {
        break;
      }
      List<FieldDescriptor> path = new ArrayList<>(before);
      path.add(field);
      if (isMarked(field)) {
        found.add(new KeyPath(path));
      } else if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
          && leadsToMark(field.getMessageType(), seen)) {
        search(field.getMessageType(), path, seen, found);
      }
    }
    seen.remove(type);
  }

  /**
   * Whether a path from a type, around those already on the way, ends at a mark. Without it, a
   * schema whose types hold each other would be walked along all of its paths, which takes for
   * ever.
   */
  private static boolean leadsToMark(Descriptor from, Set<Descriptor> onTheWay) {
    Set<Descriptor> met = new HashSet<>(onTheWay);
    Deque<Descriptor> next = new ArrayDeque<>();
    if (met.add(from)) {
      next.add(from);
    }
    while (!next.isEmpty()) {
      for (FieldDescriptor field : next.remove().getFields()) {
        if (isMarked(field)) {
          return true;
        }
        if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
            && met.add(field.getMessageType())) {
          next.add(field.getMessageType());
        }
      }
    }
    return false;
  }

  private static boolean isMarked(FieldDescriptor field) {
    return field.toProto().hasOptions() && PolicyOptions.ofField(field).getKey();
  }
}
