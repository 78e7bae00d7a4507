package dev.idempotency.grpc;

import dev.idempotency.InDoubtPolicy;
import dev.idempotency.v1.MethodPolicy;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;

/** What an option of a .proto says, as settings. */
final class PolicySettings {

  private PolicySettings() {}

  /**
   * An option as settings.
   *
   * @throws IllegalArgumentException if it has a value that this version does not know
   */
  static MethodSettings of(MethodPolicy policy) {
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
    if (policy.hasRefusalTtl()) {
      settings.refusalTtl(duration(policy.getRefusalTtl()));
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
