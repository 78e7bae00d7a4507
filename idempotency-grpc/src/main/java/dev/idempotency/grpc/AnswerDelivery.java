package dev.idempotency.grpc;

import dev.idempotency.Completion;
import dev.idempotency.OwnedExecution;
import dev.idempotency.store.Outcome;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.Optional;

/**
 * Ends a call: with the handler's answer once it is stored, with a stored one, or with the
 * interceptor's own.
 *
 * @param call towards the client
 * @param plan of its method
 * @param codec of outcomes
 * @param errorDomain of the interceptor's own answers
 * @param memory of the call; given back when it has been answered
 */
record AnswerDelivery<ReqT, RespT>(
    ServerCall<ReqT, RespT> call,
    MethodPlan<ReqT> plan,
    AnswerCodec codec,
    String errorDomain,
    CallMemory memory) {

  static final String REPLAYED_NAME = "idempotency-replayed";

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of(REPLAYED_NAME, Metadata.ASCII_STRING_MARSHALLER);
  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  /** Stores how the handler ended, then sends what the caller is to get. Blocks on the store. */
  void conclude(
      OwnedExecution execution,
      RecordedAnswer answer,
      List<MarshalledMessage<RespT>> messages,
      boolean onPurpose) {
    Ending ending = onPurpose ? plan.endingOf(answer.status().getCode()) : Ending.IN_DOUBT;
    Optional<Completion> completion;
    try {
      completion = store(execution, ending, answer);
    } catch (Throwable e) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the outcome of " + execution.key() + " could not be handed to the store",
          e);
      endInDoubt(execution);
      send(OwnAnswer.outcomeUnknown(execution.key().digestHex()));
      return;
    }
    Optional<Outcome> authoritative = completion.flatMap(Completion::authoritative);
    if (authoritative.isPresent()) {
      replay(authoritative.get());
    } else if (endedAs(Completion.Status.FENCED_OFF, completion)) {
      send(OwnAnswer.outcomeUnknown(execution.key().digestHex()));
    } else if (endedAs(Completion.Status.MISMATCH, completion)) {
      send(OwnAnswer.mismatch());
    } else if (answer.truncated() && ending == Ending.RECORD) {
      // What every retry gets, too.
      send(OwnAnswer.resultNotKept());
    } else {
      sending(() -> own(answer, messages));
    }
  }

  /**
   * Ends an execution whose handler passed on what another service with this library says of
   * another call: neither a result of this one, nor a word that nothing was executed here. Blocks
   * on the store.
   *
   * @param unfinished what the caller gets if the policy for doubtful ends frees the key
   */
  void concludeRelayed(OwnedExecution execution, OwnAnswer unfinished) {
    Completion completion;
    try {
      completion = execution.inDoubt();
    } catch (RuntimeException | Error e) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the end of " + execution.key() + " could not be handed to the store",
          e);
      send(OwnAnswer.outcomeUnknown(execution.key().digestHex()));
      return;
    }
    if (completion.authoritative().isPresent()) {
      replay(completion.authoritative().get());
      return;
    }
    send(
        switch (completion.status()) {
          case RELEASED -> unfinished;
          case MISMATCH -> OwnAnswer.mismatch();
          case RECORDED, RESTORED, UNRECORDED, FENCED_OFF, HELD ->
              OwnAnswer.outcomeUnknown(execution.key().digestHex());
        });
  }

  /** Else the key would be in flight, its lease renewed, until its TTL is over. */
  private static void endInDoubt(OwnedExecution execution) {
    try {
      var unused = execution.inDoubt();
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.DEBUG, "the execution was ended by what failed", e);
    }
  }

  private static boolean endedAs(Completion.Status status, Optional<Completion> completion) {
    return completion.map(Completion::status).equals(Optional.of(status));
  }

  private Optional<Completion> store(
      OwnedExecution execution, Ending ending, RecordedAnswer answer) {
    return switch (ending) {
      case RECORD ->
          Optional.of(
              execution.complete(
                  outcome(execution, answer), plan.keptFor(answer.status(), execution.ttl())));
      case IN_DOUBT -> Optional.of(execution.inDoubt(outcome(execution, answer)));
      case RELEASE -> {
        execution.release();
        yield Optional.empty();
      }
    };
  }

  /** A tombstone where there is no room to record more. */
  private Outcome outcome(OwnedExecution execution, RecordedAnswer answer) {
    long bytes = answer.messages().stream().mapToLong(message -> message.length).sum();
    if (memory.mayRecord(bytes)) {
      return codec.encode(answer);
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "there is no memory to record the result of {0}; that it ran is kept, {1}",
        execution.key(),
        answer.truncated()
            ? "and its caller is told so in place of the result"
            : "and the result is sent once");
    return AnswerCodec.tombstone();
  }

  private void own(RecordedAnswer answer, List<MarshalledMessage<RespT>> messages) {
    // Another service's mark, if the handler forwards its metadata.
    answer.headers().ifPresent(headers -> headers.discardAll(REPLAYED));
    answer.trailers().discardAll(REPLAYED);
    answer.headers().ifPresent(call::sendHeaders);
    messages.forEach(message -> call.sendMessage(message.messageOrOriginal()));
    call.close(answer.status(), answer.trailers());
  }

  /** Sends a stored outcome, unless too many are being sent. */
  void replayIfRoom(Outcome outcome) {
    if (memory.mayReplay(outcome.size())) {
      replay(outcome);
    } else {
      send(memory.full());
    }
  }

  /** Of a stored outcome; empty if it was not kept, or cannot be read. */
  static Optional<Status> statusOf(Outcome outcome) {
    return outcome.isTombstone()
        ? Optional.empty()
        : AnswerCodec.decode(outcome).map(RecordedAnswer::status);
  }

  /** Sends a stored outcome, marked as such. */
  void replay(Outcome outcome) {
    if (outcome.isTombstone()) {
      send(OwnAnswer.resultNotKept());
      return;
    }
    Optional<RecordedAnswer> recorded = AnswerCodec.decode(outcome).filter(plan::canAnswer);
    if (recorded.isEmpty()) {
      LOG.log(
          System.Logger.Level.ERROR,
          "an outcome for {0} cannot be read: {1}, but expected {2}",
          plan.method(),
          outcome,
          AnswerCodec.FORMAT);
      send(OwnAnswer.resultNotKept());
      return;
    }
    sending(() -> replay(recorded.get()));
  }

  private void replay(RecordedAnswer recorded) {
    Metadata trailers = recorded.trailers();
    if (recorded.status().isOk() || !recorded.messages().isEmpty()) {
      // Parsed before anything is sent: what cannot be parsed can still become an error.
      List<RespT> messages =
          recorded.messages().stream()
              .map(
                  bytes ->
                      call.getMethodDescriptor().parseResponse(new ByteArrayInputStream(bytes)))
              .toList();
      Metadata headers = recorded.headers().orElseGet(Metadata::new);
      headers.put(REPLAYED, "true");
      call.sendHeaders(headers);
      messages.forEach(call::sendMessage);
    } else {
      // No headers: gRFC A6 commits a client to an answer whose headers it has seen.
      trailers.put(REPLAYED, "true");
    }
    call.close(recorded.status(), trailers);
  }

  /** Sends an answer of the interceptor. */
  void send(OwnAnswer answer) {
    sending(() -> answer.close(call, errorDomain));
  }

  private void sending(Runnable send) {
    try {
      sendOnce(send);
    } finally {
      memory.end();
    }
  }

  private void sendOnce(Runnable send) {
    try {
      send.run();
    } catch (RuntimeException | Error e) {
      if (call.isCancelled()) {
        return;
      }
      LOG.log(System.Logger.Level.ERROR, "an answer of " + plan.method() + " was not sent", e);
      try {
        OwnAnswer.resultNotKept().close(call, errorDomain);
      } catch (RuntimeException closed) {
        LOG.log(System.Logger.Level.DEBUG, "the call was closed already", closed);
      }
    }
  }
}
