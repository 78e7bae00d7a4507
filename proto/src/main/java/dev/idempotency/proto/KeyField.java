package dev.idempotency.proto;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.idempotency.v1.MethodPolicy;
import io.grpc.MethodDescriptor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

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
   * The field as the method's .proto says it. Needs {@code grpc-protobuf} on the class path.
   *
   * @return empty if no option or naming convention identifies a key field, or the requests cannot
   *     be read by descriptor
   * @throws IllegalArgumentException if what the .proto says is invalid; names the method
   */
  public static Optional<KeyField> of(MethodDescriptor<?, ?> method) {
    MethodSchema schema = MethodSchema.of(method);
    try {
      if (schema.request().isEmpty()) {
        return Optional.empty();
      }
      Descriptor request = schema.request().get();
      Optional<KeyField> marked = marked(request);
      Optional<String> named =
          schema
              .method()
              .flatMap(
                  proto ->
                      Stream.of(PolicyOptions.ofMethod(proto), PolicyOptions.ofService(proto))
                          .map(MethodPolicy::getKeyField)
                          .filter(path -> !path.isEmpty())
                          .findFirst());
      return named.map(path -> at(request, path)).or(() -> marked).or(() -> conventional(request));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "method " + method.getFullMethodName() + ": " + e.getMessage(), e);
    }
  }

  /**
   * The field at a path, such as {@code header.idempotency_key}.
   *
   * @throws IllegalArgumentException if there is no such path, or no key can stand there
   */
  public static KeyField at(Descriptor request, String path) {
    return new KeyField(KeyPath.of(request, path));
  }

  /**
   * The field that the option {@code (idempotency.v1.field).key} marks, at whatever depth.
   *
   * @throws IllegalArgumentException if there is more than one, or no key can stand there
   */
  public static Optional<KeyField> marked(Descriptor request) {
    List<KeyPath> found = new ArrayList<>();
    search(request, List.of(), new HashSet<>(), found);
    if (found.size() > 1) {
      throw new IllegalArgumentException(
          "more than one field is marked as key: "
              + found.stream().map(KeyPath::dotted).collect(Collectors.joining(", ")));
    }
    return found.stream().findFirst().map(KeyField::new);
  }

  /** A string {@code idempotency_key}, or a {@code request_id} that AIP-155 marks. */
  public static Optional<KeyField> conventional(Descriptor request) {
    return string(request, CONVENTION)
        .or(() -> string(request, AIP_155).filter(PolicyOptions::isUuid4))
        .map(field -> new KeyField(new KeyPath(List.of(field))));
  }

  /**
   * The text in a request. Where the field has presence, presence decides: its default is no key,
   * and an empty text that was set is one, if a malformed one.
   *
   * @return empty if the field, or a message on the way, is not set
   */
  public Optional<String> find(Message request) {
    return path.in(request.getDescriptorForType()).find(request);
  }

  /** The key in a request; empty if it has none, or an empty one. */
  public Optional<String> read(Message request) {
    return find(request).filter(key -> !key.isEmpty());
  }

  /** The same request with this key. */
  public Message write(Message request, String key) {
    Message.Builder builder = request.toBuilder();
    path.in(request.getDescriptorForType()).write(builder, key);
    return builder.build();
  }

  /** The fields from the request down to the key, at least one. */
  public List<FieldDescriptor> fields() {
    return path.fields();
  }

  /** The string itself: the last of {@link #fields()}. */
  public FieldDescriptor leaf() {
    return path.leaf();
  }

  /** The names of the fields with dots between them. */
  @Override
  public String toString() {
    return path.dotted();
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
  public static void checkConvention(Descriptor request) {
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
