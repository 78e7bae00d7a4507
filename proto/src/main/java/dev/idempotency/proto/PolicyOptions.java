package dev.idempotency.proto;

import com.google.api.FieldInfo;
import com.google.api.FieldInfoProto;
import com.google.protobuf.DescriptorProtos.FieldOptions;
import com.google.protobuf.DescriptorProtos.MethodOptions;
import com.google.protobuf.DescriptorProtos.MethodOptions.IdempotencyLevel;
import com.google.protobuf.DescriptorProtos.ServiceOptions;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.ExtensionRegistry;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.idempotency.v1.FieldPolicy;
import dev.idempotency.v1.MethodPolicy;
import dev.idempotency.v1.PolicyProto;

/**
 * Reads the options of a .proto: those of {@code idempotency/v1/policy.proto}, and those of
 * Google's that say something of keys. They are parsed anew, because descriptors that were built at
 * run time carry extensions as unknown fields. An option that is not set is its default instance.
 */
public final class PolicyOptions {

  private static final ExtensionRegistry REGISTRY = ExtensionRegistry.newInstance();

  static {
    PolicyProto.registerAllExtensions(REGISTRY);
    FieldInfoProto.registerAllExtensions(REGISTRY);
  }

  private PolicyOptions() {}

  /** Whether {@code idempotency_level} is {@code NO_SIDE_EFFECTS}. */
  public static boolean hasNoSideEffects(MethodDescriptor method) {
    return method.getOptions().getIdempotencyLevel() == IdempotencyLevel.NO_SIDE_EFFECTS;
  }

  /**
   * The option of the method itself.
   *
   * @throws IllegalArgumentException if its bytes cannot be parsed
   */
  public static MethodPolicy ofMethod(MethodDescriptor method) {
    try {
      return MethodOptions.parseFrom(method.getOptions().toByteString(), REGISTRY)
          .getExtension(PolicyProto.method);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException("options of " + method.getFullName() + " are damaged", e);
    }
  }

  /**
   * The option of the method's service.
   *
   * @throws IllegalArgumentException if its bytes cannot be parsed
   */
  public static MethodPolicy ofService(MethodDescriptor method) {
    try {
      return ServiceOptions.parseFrom(method.getService().getOptions().toByteString(), REGISTRY)
          .getExtension(PolicyProto.service);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException(
          "options of " + method.getService().getFullName() + " are damaged", e);
    }
  }

  /**
   * The option of a field.
   *
   * @throws IllegalArgumentException if its bytes cannot be parsed
   */
  public static FieldPolicy ofField(FieldDescriptor field) {
    return options(field).getExtension(PolicyProto.field);
  }

  /**
   * Whether {@code google.api.field_info} says that the field is a UUID of version 4 (AIP-202).
   *
   * @throws IllegalArgumentException if the bytes of its options cannot be parsed
   */
  public static boolean isUuid4(FieldDescriptor field) {
    return options(field).getExtension(FieldInfoProto.fieldInfo).getFormat()
        == FieldInfo.Format.UUID4;
  }

  private static FieldOptions options(FieldDescriptor field) {
    try {
      return FieldOptions.parseFrom(field.getOptions().toByteString(), REGISTRY);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException("options of " + field.getFullName() + " are damaged", e);
    }
  }
}
