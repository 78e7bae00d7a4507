package dev.idempotency.grpc;

import dev.idempotency.Decision;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Outcome;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Answers one call in place of its handler, or after it.
 *
 * @param settings of the interceptor
 * @param plan of the method
 * @param delivery towards the client
 * @param mayReplay whether the caller may see a stored answer with this status
 */
record InterceptorAnswers<ReqT, RespT>(
    InterceptorSettings settings,
    MethodPlan<ReqT> plan,
    AnswerDelivery<ReqT, RespT> delivery,
    Predicate<Optional<Status>> mayReplay) {

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  static <ReqT, RespT> InterceptorAnswers<ReqT, RespT> of(
      InterceptorSettings settings,
      MethodPlan<ReqT> plan,
      ServerCall<ReqT, RespT> call,
      CallMemory memory,
      Predicate<Optional<Status>> mayReplay) {
    return new InterceptorAnswers<>(
        settings,
        plan,
        new AnswerDelivery<>(call, plan, settings.codec(), settings.errorDomain(), memory),
        mayReplay);
  }

  /** Stores how the handler ended, then sends what the caller is to get. Blocks on the store. */
  void conclude(
      OwnedExecution execution,
      RecordedAnswer answer,
      List<MarshalledMessage<RespT>> messages,
      boolean onPurpose) {
    Optional<String> relayed = RelayedAnswer.reasonIn(answer, settings.errorDomain());
    if (relayed.isEmpty()) {
      delivery.conclude(execution, answer, messages, onPurpose);
      return;
    }
    LOG.log(
        System.Logger.Level.INFO,
        "{0}: its handler relays the answer {1} of another service; the outcome is in doubt",
        execution.key(),
        relayed.get());
    delivery.concludeRelayed(
        execution,
        OwnAnswer.inFlight(settings.inFlightCode(), settings.engine().config().retryAfter()));
  }

  void send(OwnAnswer answer) {
    delivery.send(answer);
  }

  /** What the engine decided, other than to proceed. */
  void answer(Decision decision) {
    if (decision instanceof Decision.Replay replay) {
      replayEarlier(replay.outcome());
    } else if (decision instanceof Decision.InFlight inFlight) {
      send(OwnAnswer.inFlight(settings.inFlightCode(), inFlight.retryAfter()));
    } else if (decision instanceof Decision.Mismatch) {
      send(OwnAnswer.mismatch());
    } else if (decision instanceof Decision.NotComparable notComparable) {
      send(OwnAnswer.notComparable(notComparable.keyDigest()));
    } else if (decision instanceof Decision.Abandoned abandoned) {
      send(OwnAnswer.outcomeUnknown(abandoned.keyDigest()));
    } else if (decision instanceof Decision.KeyExpired) {
      send(OwnAnswer.keyExpired());
    } else if (decision instanceof Decision.StoreUnavailable unavailable) {
      Throwable cause = unavailable.cause();
      LOG.log(
          System.Logger.Level.WARNING,
          "refused a call of {0}: {1}",
          plan.method(),
          cause.getMessage());
      send(OwnAnswer.storeUnavailable(unavailable.retryAfter()));
    } else {
      failed(new IllegalStateException("not an answer: " + decision));
    }
  }

  private void replayEarlier(Outcome outcome) {
    boolean permitted;
    try {
      permitted =
          settings.mayReplay().isEmpty() || mayReplay.test(AnswerDelivery.statusOf(outcome));
    } catch (RuntimeException | Error e) {
      failed(e);
      return;
    }
    if (permitted) {
      delivery.replayIfRoom(outcome);
    } else {
      send(OwnAnswer.replayRefused());
    }
  }

  /** The lease ended before the handler could start. */
  void storeUnavailable() {
    send(OwnAnswer.storeUnavailable(settings.engine().config().retryAfter()));
  }

  /** No thread could be had for the claim or the handler. */
  void busy() {
    LOG.log(System.Logger.Level.WARNING, "refused a call of {0}: no thread is free", plan.method());
    send(OwnAnswer.busy(settings.engine().config().retryAfter()));
  }

  /** Something threw before the handler could start. */
  void failed(Throwable thrown) {
    LOG.log(System.Logger.Level.ERROR, "a call of " + plan.method() + " was not examined", thrown);
    send(OwnAnswer.failed());
  }
}
