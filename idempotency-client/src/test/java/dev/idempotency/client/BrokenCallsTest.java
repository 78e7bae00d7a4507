package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.client.till.PayRequest;
import dev.idempotency.client.till.PayResponse;
import dev.idempotency.client.till.TillServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls in which what stands before or behind the loop does not do as it should. */
@Timeout(60)
class BrokenCallsTest {

  private static final PayRequest REQUEST = PayRequest.newBuilder().setAmount(5).build();
  private static final RequestKey KEY = new RequestKey("order-1");

  private final CompletableFuture<String> cancelled = new CompletableFuture<>();

  /** What a server, and what is between it and the client, do with a call. */
  interface Script {
    void sent(ClientCall.Listener<Object> listener);
  }

  private Channel channel(Script onMessage, Script onHalfClose) {
    Channel scripted =
        new Channel() {
          @Override
          @SuppressWarnings("unchecked") // The script answers with what its test wants.
          public <Q, S> ClientCall<Q, S> newCall(
              MethodDescriptor<Q, S> method, CallOptions options) {
            return (ClientCall<Q, S>) new ScriptedCall(onMessage, onHalfClose);
          }

          @Override
          public String authority() {
            return "scripted";
          }
        };
    return ClientInterceptors.intercept(scripted, GrpcRetries.create());
  }

  private final class ScriptedCall extends ClientCall<Object, Object> {
    private final Script onMessage;
    private final Script onHalfClose;
    private Listener<Object> listener = new Listener<>() {};

    ScriptedCall(Script onMessage, Script onHalfClose) {
      this.onMessage = onMessage;
      this.onHalfClose = onHalfClose;
    }

    @Override
    public void start(Listener<Object> responseListener, Metadata headers) {
      listener = responseListener;
    }

    @Override
    public void request(int numMessages) {}

    @Override
    public void cancel(String message, Throwable cause) {
      cancelled.complete(String.valueOf(message));
    }

    @Override
    public void sendMessage(Object message) {
      onMessage.sent(listener);
    }

    @Override
    public void halfClose() {
      onHalfClose.sent(listener);
    }
  }

  private static void answer(ClientCall.Listener<Object> listener, int messages) {
    listener.onHeaders(new Metadata());
    for (int i = 0; i < messages; i++) {
      listener.onMessage(PayResponse.newBuilder().setId("p-" + i).build());
    }
    listener.onClose(Status.OK, new Metadata());
  }

  @Test
  void anAttemptThatCannotBeSentIsCancelledAndNotLeftOpen() throws Exception {
    Channel channel =
        channel(
            listener -> {
              throw new IllegalStateException("cannot be sent, for the test");
            },
            listener -> {});
    assertThatThrownBy(
            () -> GrpcRetries.withKey(TillServiceGrpc.newBlockingStub(channel), KEY).pay(REQUEST))
        .isInstanceOf(StatusRuntimeException.class);
    assertThat(cancelled).isCompleted();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2})
  void anAnswerThatIsNotOneMessageIsNoResultAndTheKeyIsKnown(int messages) {
    Channel channel = channel(listener -> {}, listener -> answer(listener, messages));
    assertThatThrownBy(
            () -> GrpcRetries.withKey(TillServiceGrpc.newBlockingStub(channel), KEY).pay(REQUEST))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            thrown -> {
              assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL);
              assertThat(OutcomeUnknownException.in(thrown).orElseThrow().key()).isEqualTo(KEY);
            });
  }

  @ParameterizedTest
  @ValueSource(strings = {"headers", "message"})
  void aListenerThatThrowsIsStillToldTheEndAndTheKey(String at) throws Exception {
    Channel channel = channel(listener -> {}, listener -> answer(listener, 1));
    ClientCall<PayRequest, PayResponse> call =
        channel.newCall(
            TillServiceGrpc.getPayMethod(), CallOptions.DEFAULT.withOption(GrpcRetries.KEY, KEY));
    CompletableFuture<Status> closed = new CompletableFuture<>();
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onHeaders(Metadata headers) {
            throwAt("headers");
          }

          @Override
          public void onMessage(PayResponse message) {
            throwAt("message");
          }

          private void throwAt(String place) {
            if (place.equals(at)) {
              throw new IllegalStateException("for the test, at " + place);
            }
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            closed.complete(status);
          }
        },
        new Metadata());
    call.request(1);
    call.sendMessage(REQUEST);
    call.halfClose();
    Status status = closed.get(10, TimeUnit.SECONDS);
    assertThat(status.getCode()).isEqualTo(Status.Code.CANCELLED);
    assertThat(OutcomeUnknownException.in(status.asRuntimeException()).orElseThrow().key())
        .isEqualTo(KEY);
  }
}
