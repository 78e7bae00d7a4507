package dev.idempotency.proto;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Where in a request the key stands: fields from the request down to a string. Immutable.
 *
 * @param fields at least one; the last is a string, all before it are messages, none is repeated
 */
record KeyPath(List<FieldDescriptor> fields) {

  /** Validates the path; its messages go after "method X: ". */
  KeyPath {
    fields = List.copyOf(fields);
    for (int i = 0; i < fields.size(); i++) {
      FieldDescriptor field = fields.get(i);
      boolean last = i == fields.size() - 1;
      if (field.isRepeated()) {
        throw new IllegalArgumentException(
            "key field " + field.getFullName() + " is repeated; it must be singular");
      }
      if (last && field.getType() != FieldDescriptor.Type.STRING) {
        throw new IllegalArgumentException(
            "key field " + field.getFullName() + " is " + typeOf(field) + "; it must be a string");
      }
      if (!last && field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
        throw new IllegalArgumentException(
            "key field "
                + field.getFullName()
                + " is "
                + typeOf(field)
                + "; a path can only go through messages");
      }
    }
  }

  static String typeOf(FieldDescriptor field) {
    return field.getType().name().toLowerCase(java.util.Locale.ROOT);
  }

  /**
   * Finds a path by its names.
   *
   * @throws IllegalArgumentException if there is no such path, or no key can stand there
   */
  static KeyPath of(Descriptor request, String path) {
    List<FieldDescriptor> fields = new ArrayList<>();
    Descriptor within = request;
    for (String name : Arrays.asList(path.split("\\.", -1))) {
      FieldDescriptor field = within.findFieldByName(name);
      if (field == null) {
        throw new IllegalArgumentException(
            "key field \""
                + path
                + "\": "
                + within.getFullName()
                + " has no field \""
                + name
                + "\"; it has "
                + within.getFields().stream()
                    .map(FieldDescriptor::getName)
                    .collect(Collectors.joining(", ", "[", "]")));
      }
      fields.add(field);
      if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
        if (fields.size() < path.split("\\.", -1).length) {
          throw new IllegalArgumentException(
              "key field \""
                  + path
                  + "\" goes on after "
                  + field.getFullName()
                  + ", which is no message");
        }
        break;
      }
      within = field.getMessageType();
    }
    return new KeyPath(fields);
  }

  FieldDescriptor leaf() {
    return fields.get(fields.size() - 1);
  }

  String dotted() {
    return fields.stream().map(FieldDescriptor::getName).collect(Collectors.joining("."));
  }

  /** This path in a type that may be built twice, as with dynamic messages. */
  KeyPath in(Descriptor request) {
    return fields.get(0).getContainingType() == request ? this : KeyPath.of(request, dotted());
  }

  /**
   * The text at the path. Where the field has presence, presence decides: its default is no key,
   * and an empty text that was set is one, if a malformed one.
   *
   * @return empty if it, or a message on the way, is not set
   */
  Optional<String> find(Message request) {
    Message within = request;
    for (FieldDescriptor field : fields.subList(0, fields.size() - 1)) {
      if (!within.hasField(field)) {
        return Optional.empty();
      }
      within = (Message) within.getField(field);
    }
    return within.hasField(leaf())
        ? Optional.of((String) within.getField(leaf()))
        : Optional.empty();
  }

  /** Sets the text at the path, and makes the messages on the way that are not there. */
  void write(Message.Builder request, String text) {
    write(request, 0, text);
  }

  private void write(Message.Builder within, int depth, String text) {
    FieldDescriptor field = fields.get(depth);
    if (depth == fields.size() - 1) {
      within.setField(field, text);
    } else {
      Message.Builder inner = ((Message) within.getField(field)).toBuilder();
      write(inner, depth + 1, text);
      within.setField(field, inner.buildPartial());
    }
  }
}
