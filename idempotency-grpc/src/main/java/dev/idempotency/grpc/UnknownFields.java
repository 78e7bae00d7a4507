package dev.idempotency.grpc;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds what a message has and its schema lacks. */
final class UnknownFields {

  private UnknownFields() {}

  /** The full name of the first message, at any depth, with fields that the schema lacks. */
  static Optional<String> in(Message message) {
    if (!message.getUnknownFields().asMap().isEmpty()) {
      return Optional.of(message.getDescriptorForType().getFullName());
    }
    for (Map.Entry<FieldDescriptor, Object> set : message.getAllFields().entrySet()) {
      if (set.getKey().getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        List<?> messages =
            set.getKey().isRepeated() ? (List<?>) set.getValue() : List.of(set.getValue());
        for (Object inner : messages) {
          Optional<String> found = in((Message) inner);
          if (found.isPresent()) {
            return found;
          }
        }
      }
    }
    return Optional.empty();
  }
}
