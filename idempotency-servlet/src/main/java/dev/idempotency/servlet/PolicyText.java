package dev.idempotency.servlet;

import dev.idempotency.InDoubtPolicy;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A {@link RoutePolicy} as words: {@code required ttl=24h maxWait=5s maxRequest=1MiB}. */
final class PolicyText {

  private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h|d)");
  private static final Pattern BYTES = Pattern.compile("(\\d{1,9})(B|KiB|MiB|GiB)?");

  private static final Pattern STATUSES = Pattern.compile("\\d{3}(,\\d{3})*");

  private PolicyText() {}

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException that says what is wrong, and what would be right
   */
  static RoutePolicy of(List<String> words) {
    String mode = words.isEmpty() ? "" : words.get(0);
    RoutePolicy policy =
        switch (mode) {
          case "required" -> RoutePolicy.required();
          case "optional" -> RoutePolicy.optional();
          case "off" -> RoutePolicy.off();
          default ->
              throw new IllegalArgumentException(
                  "the policy must be required, optional or off, but is \"" + mode + "\"");
        };
    Set<String> seen = new HashSet<>();
    for (String word : words.subList(1, words.size())) {
      int equals = word.indexOf('=');
      String name = equals < 0 ? word : word.substring(0, equals);
      String value = equals < 0 ? "" : word.substring(equals + 1);
      if (!seen.add(name)) {
        throw new IllegalArgumentException(name + " is there twice");
      }
      policy = with(policy, name, value);
    }
    return policy;
  }

  private static RoutePolicy with(RoutePolicy policy, String name, String value) {
    return switch (name) {
      case "ttl" -> policy.ttl(duration(name, value));
      case "refusalTtl" -> policy.refusalTtl(duration(name, value));
      case "lease" -> policy.lease(duration(name, value));
      case "inDoubt" -> policy.inDoubt(inDoubt(value));
      case "maxWait" ->
          value.equals("none")
              ? policy.rejectInFlight()
              : policy.waitInFlight(duration(name, value));
      case "maxRequest" -> policy.maxRequestBytes(intBytes(name, value));
      case "maxResponse" -> policy.maxResponseBytes(intBytes(name, value));
      case "recordStatuses" -> policy.recordStatuses(statuses(name, value));
      case "releaseStatuses" -> policy.releaseStatuses(statuses(name, value));
      case "inDoubtStatuses" -> policy.inDoubtStatuses(statuses(name, value));
      case "keepNoStore" -> policy.keepNoStore(isTrue(name, value));
      case "notExecuted" -> policy.notExecuted(Set.of(value.split(",")));
      default ->
          throw new IllegalArgumentException(
              "\""
                  + name
                  + "\" is not known; there are ttl, refusalTtl, lease, inDoubt, maxWait,"
                  + " maxRequest, maxResponse, recordStatuses, releaseStatuses, inDoubtStatuses,"
                  + " keepNoStore and notExecuted, each as name=value");
    };
  }

  private static int[] statuses(String name, String value) {
    if (!STATUSES.matcher(value).matches()) {
      throw new IllegalArgumentException(
          name
              + " must be statuses with commas between them, as 404,409, but is \""
              + value
              + "\"");
    }
    return Arrays.stream(value.split(",")).mapToInt(Integer::parseInt).toArray();
  }

  private static boolean isTrue(String name, String value) {
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException(
              name + " must be true or false, but is \"" + value + "\"");
    };
  }

  private static InDoubtPolicy inDoubt(String value) {
    return switch (value) {
      case "hold" -> InDoubtPolicy.HOLD;
      case "release" -> InDoubtPolicy.RELEASE;
      case "record" -> InDoubtPolicy.RECORD;
      default ->
          throw new IllegalArgumentException(
              "inDoubt must be hold, release or record, but is \"" + value + "\"");
    };
  }

  private static Duration duration(String name, String value) {
    Matcher matcher = DURATION.matcher(value);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          name + " must be a number with ms, s, m, h or d, as 30s, but is \"" + value + "\"");
    }
    long number = Long.parseLong(matcher.group(1));
    return switch (matcher.group(2)) {
      case "ms" -> Duration.ofMillis(number);
      case "s" -> Duration.ofSeconds(number);
      case "m" -> Duration.ofMinutes(number);
      case "h" -> Duration.ofHours(number);
      default -> Duration.ofDays(number);
    };
  }

  private static int intBytes(String name, String value) {
    long bytes;
    try {
      bytes = bytes(value);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + " " + e.getMessage(), e);
    }
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(name + " must be less than 2GiB, but is " + value);
    }
    return (int) bytes;
  }

  /** A size, in bytes. */
  static long bytes(String value) {
    Matcher matcher = BYTES.matcher(value);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "must be a number of bytes, or one with KiB, MiB or GiB, as 64KiB, but is \""
              + value
              + "\"");
    }
    long number = Long.parseLong(matcher.group(1));
    String unit = matcher.group(2) == null ? "B" : matcher.group(2);
    return switch (unit) {
      case "KiB" -> number << 10;
      case "MiB" -> number << 20;
      case "GiB" -> number << 30;
      default -> number;
    };
  }
}
