package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import dev.idempotency.v1.FieldPolicy;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which fields of a request type, and of all messages within it, the fingerprint leaves out. Read
 * from the options once. Immutable.
 */
final class RequestShape {

  private final Set<FieldDescriptor> excluded = new HashSet<>();

  /** Types that have an excluded field, or hold such a type: the only ones to look into. */
  private final Set<Descriptor> affected = new HashSet<>();

  private final String digest;

  RequestShape(Descriptor request, Optional<KeyPath> key) {
    Set<Descriptor> types = new LinkedHashSet<>();
    collect(request, types);
    StringBuilder text = new StringBuilder();
    // The content is without its key: where the key stands decides what the content is.
    key.ifPresent(
        path -> path.fields().forEach(field -> text.append(field.getNumber()).append('.')));
    for (Descriptor type : types) {
      text.append(type.getFullName()).append('{');
      for (FieldDescriptor field : byNumber(type)) {
        boolean isExcluded =
            PolicyOptions.ofField(field).getFingerprint()
                == FieldPolicy.Fingerprint.FINGERPRINT_EXCLUDE;
        if (isExcluded) {
          excluded.add(field);
          affected.add(type);
        }
        text.append(field.getNumber()).append(field.getType()).append(field.isRepeated());
        text.append(field.isPacked()).append(field.hasPresence());
        if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
          text.append(field.getMessageType().getFullName());
        }
        text.append(isExcluded).append(';');
      }
      text.append('}');
    }
    while (spread(types)) {
      // Until no further type holds an affected one.
    }
    this.digest = sha256(text.toString());
  }

  /** The order in the .proto says nothing. */
  private static List<FieldDescriptor> byNumber(Descriptor type) {
    List<FieldDescriptor> fields = new ArrayList<>(type.getFields());
    fields.sort(Comparator.comparingInt(FieldDescriptor::getNumber));
    return fields;
  }

  private static void collect(Descriptor type, Set<Descriptor> types) {
    if (types.add(type)) {
      for (FieldDescriptor field : byNumber(type)) {
        if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
          collect(field.getMessageType(), types);
        }
      }
    }
  }

  private boolean spread(Set<Descriptor> types) {
    boolean changed = false;
    for (Descriptor type : types) {
      for (FieldDescriptor field : type.getFields()) {
        changed |= isAffected(field) && affected.add(type);
      }
    }
    return changed;
  }

  private boolean isAffected(FieldDescriptor field) {
    return field.getJavaType() == FieldDescriptor.JavaType.MESSAGE
        && affected.contains(field.getMessageType());
  }

  private static String sha256(String text) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256, which every Java must have", e);
    }
  }

  /**
   * Names the schema: changes when a field comes, goes, changes its type or is excluded, and when
   * the key is another field.
   */
  String digest() {
    return digest;
  }

  /** Clears all excluded fields, at any depth. */
  void clearExcluded(Message.Builder message) {
    if (!affected.contains(message.getDescriptorForType())) {
      return;
    }
    for (Map.Entry<FieldDescriptor, Object> set : message.getAllFields().entrySet()) {
      FieldDescriptor field = set.getKey();
      if (excluded.contains(field)) {
        message.clearField(field);
      } else if (isAffected(field) && field.isRepeated()) {
        List<Message> elements = new ArrayList<>();
        for (Object element : (List<?>) set.getValue()) {
          elements.add(withoutExcluded((Message) element));
        }
        message.setField(field, elements);
      } else if (isAffected(field)) {
        message.setField(field, withoutExcluded((Message) set.getValue()));
      }
    }
  }

  private Message withoutExcluded(Message message) {
    Message.Builder builder = message.toBuilder();
    clearExcluded(builder);
    return builder.buildPartial();
  }

  /** The full name of the first message, at any depth, with fields that the schema lacks. */
  static Optional<String> unknownFieldsIn(Message message) {
    if (!message.getUnknownFields().isEmpty()) {
      return Optional.of(message.getDescriptorForType().getFullName());
    }
    for (Map.Entry<FieldDescriptor, Object> set : message.getAllFields().entrySet()) {
      if (set.getKey().getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
        List<?> messages =
            set.getKey().isRepeated() ? (List<?>) set.getValue() : List.of(set.getValue());
        for (Object inner : messages) {
          Optional<String> found = unknownFieldsIn((Message) inner);
          if (found.isPresent()) {
            return found;
          }
        }
      }
    }
    return Optional.empty();
  }
}
