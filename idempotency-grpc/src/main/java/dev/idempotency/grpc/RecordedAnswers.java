package dev.idempotency.grpc;

import dev.idempotency.store.Outcome;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;

/**
 * Outcomes in the format of the interceptor, for those who know a result before the call is closed,
 * or after its process has died: a handler that records it in its own transaction, and resolvers.
 *
 * <pre>{@code
 * guard.record(connection, execution, RecordedAnswers.ok(getPayMethod(), payment));
 * }</pre>
 */
public final class RecordedAnswers {

  private static final AnswerCodec CODEC =
      new AnswerCodec(new ReplayableMetadata(Optional.empty()));

  private RecordedAnswers() {}

  /**
   * OK with a response, and no headers and trailers: byte for byte what the interceptor stores for
   * a handler that answers with {@code onNext(response)} and {@code onCompleted()}.
   *
   * @param method a unary one, whose response marshaller writes it
   * @throws RuntimeException what the marshaller throws for a response that it cannot write
   */
  public static <T> Outcome ok(MethodDescriptor<?, T> method, T response) {
    return CODEC.encode(
        new RecordedAnswer(
            Status.OK,
            new Metadata(),
            Optional.of(new Metadata()),
            List.of(MarshalledMessage.of(method.getResponseMarshaller(), response).bytes()),
            false));
  }
}
