package dev.idempotency.grpc;

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
import dev.idempotency.InDoubtPolicy;
import dev.idempotency.v1.FieldPolicy;
import dev.idempotency.v1.MethodPolicy;
import dev.idempotency.v1.PolicyProto;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;

/**
 * Reads the options of a .proto. They are parsed anew, because descriptors that were built at run
 * time carry extensions as unknown fields.
 */
final class PolicyOptions {

  private static final ExtensionRegistry REGISTRY = ExtensionRegistry.newInstance();

  static {
    PolicyProto.registerAllExtensions(REGISTRY);
    FieldInfoProto.registerAllExtensions(REGISTRY);
  }

  private PolicyOptions() {}

  static boolean hasNoSideEffects(MethodDescriptor method) {
    return method.getOptions().getIdempotencyLevel() == IdempotencyLevel.NO_SIDE_EFFECTS;
  }

  /** The method option. */
  static MethodPolicy ofMethod(MethodDescriptor method) {
    try {
      return MethodOptions.parseFrom(method.getOptions().toByteString(), REGISTRY)
          .getExtension(PolicyProto.method);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException("options of " + method.getFullName() + " are damaged", e);
    }
  }

  /** The option of the method's service. */
  static MethodPolicy ofService(MethodDescriptor method) {
    try {
      return ServiceOptions.parseFrom(method.getService().getOptions().toByteString(), REGISTRY)
          .getExtension(PolicyProto.service);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalArgumentException(
          "options of " + method.getService().getFullName() + " are damaged", e);
    }
  }

  static FieldPolicy ofField(FieldDescriptor field) {
    return options(field).getExtension(PolicyProto.field);
  }

  static boolean isUuid4(FieldDescriptor field) {
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

  /** An option as settings. */
  static MethodSettings settings(MethodPolicy policy) {
    MethodSettings.Builder settings = MethodSettings.builder();
    switch (policy.getMode()) {
      case MODE_REQUIRED -> settings.mode(MethodSettings.Mode.REQUIRED);
      case MODE_OPTIONAL -> settings.mode(MethodSettings.Mode.OPTIONAL);
      case MODE_DISABLED -> settings.mode(MethodSettings.Mode.DISABLED);
      case MODE_UNSPECIFIED -> {}
      case UNRECOGNIZED -> throw unknown("mode", policy.getModeValue());
    }
    switch (policy.getInFlight()) {
      case IN_FLIGHT_REJECT -> settings.inFlight(MethodSettings.InFlight.REJECT);
      case IN_FLIGHT_WAIT -> settings.inFlight(MethodSettings.InFlight.WAIT);
      case IN_FLIGHT_UNSPECIFIED -> {}
      case UNRECOGNIZED -> throw unknown("in_flight", policy.getInFlightValue());
    }
    switch (policy.getInDoubt()) {
      case IN_DOUBT_HOLD -> settings.inDoubt(InDoubtPolicy.HOLD);
      case IN_DOUBT_RELEASE -> settings.inDoubt(InDoubtPolicy.RELEASE);
      case IN_DOUBT_RECORD -> settings.inDoubt(InDoubtPolicy.RECORD);
      case IN_DOUBT_UNSPECIFIED -> {}
      case UNRECOGNIZED -> throw unknown("in_doubt", policy.getInDoubtValue());
    }
    if (!policy.getKeyField().isEmpty()) {
      settings.keyField(policy.getKeyField());
    }
    if (policy.hasTtl()) {
      settings.ttl(duration(policy.getTtl()));
    }
    if (policy.hasLease()) {
      settings.lease(duration(policy.getLease()));
    }
    if (policy.hasMaxWait()) {
      settings.maxWait(duration(policy.getMaxWait()));
    }
    if (policy.getMaxStreamMessages() != 0) {
      settings.maxStreamMessages(policy.getMaxStreamMessages());
    }
    endings(settings, Ending.RECORD, policy.getRecordCodesList());
    endings(settings, Ending.RELEASE, policy.getReleaseCodesList());
    endings(settings, Ending.IN_DOUBT, policy.getInDoubtCodesList());
    return settings.build();
  }

  private static Duration duration(com.google.protobuf.Duration value) {
    return Duration.ofSeconds(value.getSeconds(), value.getNanos());
  }

  private static void endings(
      MethodSettings.Builder settings, Ending ending, List<MethodPolicy.Code> codes) {
    for (MethodPolicy.Code code : codes) {
      if (code == MethodPolicy.Code.UNRECOGNIZED || code == MethodPolicy.Code.CODE_UNSPECIFIED) {
        throw new IllegalArgumentException(
            "a code in the list for "
                + ending
                + " is not an error code of gRPC; see MethodPolicy.Code");
      }
      settings.ending(ending, Status.fromCodeValue(code.getNumber()).getCode());
    }
  }

  private static IllegalArgumentException unknown(String setting, int value) {
    return new IllegalArgumentException(
        setting + " has the value " + value + ", which this version does not know; update it");
  }
}
