package dev.idempotency.grpc;

import dev.idempotency.InDoubtPolicy;
import io.grpc.Status;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * The resolved and validated policy of one method. Immutable.
 *
 * @param method its full name
 * @param keyRequired whether a call without a key is refused
 * @param reader finds key and content in its requests
 * @param ttl of records; empty for the engine's
 * @param refusalTtl of the records of refusals; empty for the TTL
 * @param lease of claims; empty for the engine's
 * @param maxWait for a key in flight; zero to reject at once
 * @param inDoubt what an end in doubt does; empty for the engine's
 * @param endings of every code
 * @param refuseUnknownFields whether a request with unknown fields is refused
 * @param maxStreamMessages how many messages of a stream are recorded; zero for a unary method
 */
record MethodPlan<ReqT>(
    String method,
    boolean keyRequired,
    RequestReader<ReqT> reader,
    Optional<Duration> ttl,
    Optional<Duration> refusalTtl,
    Optional<Duration> lease,
    Duration maxWait,
    Optional<InDoubtPolicy> inDoubt,
    Map<Status.Code, Ending> endings,
    boolean refuseUnknownFields,
    int maxStreamMessages) {

  Ending endingOf(Status.Code code) {
    return endings.getOrDefault(code, Ending.IN_DOUBT);
  }

  /**
   * How long the record of an answer lives.
   *
   * @param ttl of an execution's result
   */
  Duration keptFor(Status status, Duration ttl) {
    return status.isOk() ? ttl : refusalTtl.orElse(ttl);
  }

  <RespT> RecordedMessages<RespT> newMessages(long maxBytes) {
    return maxStreamMessages == 0
        ? RecordedMessages.unary()
        : RecordedMessages.stream(maxStreamMessages, maxBytes);
  }

  /** Whether a stored answer has as many messages as an answer of this method can have. */
  boolean canAnswer(RecordedAnswer answer) {
    return maxStreamMessages > 0 || answer.messages().size() == (answer.status().isOk() ? 1 : 0);
  }
}
