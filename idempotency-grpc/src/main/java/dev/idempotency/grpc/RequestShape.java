package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.Any;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import dev.idempotency.proto.KeyField;
import dev.idempotency.proto.PolicyOptions;
import dev.idempotency.v1.FieldPolicy;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * What of a request type, and of all messages within it, the fingerprint leaves out: the key, and
 * the fields that an option excludes. Read from the options once. Immutable.
 */
final class RequestShape {

  private final Descriptor request;
  private final List<FieldDescriptor> keyPath;

  /** By full name: a type can have a descriptor in more than one pool. */
  private final Set<String> excluded = new HashSet<>();

  /** What may stand in an {@code Any}, by full name: all that the files of the request know. */
  private final Map<String, Descriptor> known = new HashMap<>();

  private final String digest;

  RequestShape(Descriptor request, Optional<KeyField> key) {
    this.request = request;
    this.keyPath = key.map(KeyField::fields).orElse(List.of());
    Set<Descriptor> types = new LinkedHashSet<>();
    collect(request, types);
    if (types.stream().anyMatch(RequestShape::isAny)) {
      collect(request.getFile(), new HashSet<>());
      Set.copyOf(known.values()).forEach(type -> collect(type, types));
    }
    Set<String> leftOut = new TreeSet<>();
    keyPath.forEach(field -> leftOut.add("key " + name(field)));
    for (Descriptor type : types) {
      for (FieldDescriptor field : type.getFields()) {
        if (PolicyOptions.ofField(field).getFingerprint()
            == FieldPolicy.Fingerprint.FINGERPRINT_EXCLUDE) {
          excluded.add(field.getFullName());
          leftOut.add("excluded " + name(field));
        }
      }
    }
    this.digest = sha256(String.join("\n", leftOut));
  }

  private static String name(FieldDescriptor field) {
    return field.getContainingType().getFullName() + "#" + field.getNumber();
  }

  private static void collect(Descriptor type, Set<Descriptor> types) {
    if (types.add(type)) {
      for (FieldDescriptor field : type.getFields()) {
        if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
          collect(field.getMessageType(), types);
        }
      }
    }
  }

  private void collect(FileDescriptor file, Set<FileDescriptor> seen) {
    if (seen.add(file)) {
      file.getMessageTypes().forEach(this::know);
      file.getDependencies().forEach(each -> collect(each, seen));
    }
  }

  private void know(Descriptor type) {
    known.put(type.getFullName(), type);
    type.getNestedTypes().forEach(this::know);
  }

  private static String sha256(String text) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java has no SHA-256, which every Java must have", e);
    }
  }

  /** The type of the requests. */
  Descriptor request() {
    return request;
  }

  /**
   * Names what is left out, and nothing else: fields are digested by number, so a schema that grows
   * gives the same content for the same message.
   */
  String digest() {
    return digest;
  }

  /** The fields from the request down to its key; empty if it has none. */
  List<FieldDescriptor> keyPath() {
    return keyPath;
  }

  boolean isExcluded(FieldDescriptor field) {
    return excluded.contains(field.getFullName());
  }

  static boolean isAny(Descriptor type) {
    return type.getFullName().equals(Any.getDescriptor().getFullName());
  }

  /** The type that the URL of an {@code Any} names; empty if the request's files do not know it. */
  Optional<Descriptor> typeOf(String typeUrl) {
    return Optional.ofNullable(known.get(typeUrl.substring(typeUrl.lastIndexOf('/') + 1)));
  }
}
