package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.client.TillServer.Transport;
import dev.idempotency.client.till.GiftRequest;
import dev.idempotency.client.till.Header;
import dev.idempotency.client.till.PayRequest;
import dev.idempotency.client.till.PayResponse;
import dev.idempotency.client.till.TillServiceGrpc;
import dev.idempotency.client.till.TillServiceGrpc.TillServiceBlockingStub;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** gRPC's half, against the server's interceptor: one effect, and the true answer. */
@Timeout(60)
class GrpcRetriesTest {

  private static final PayRequest REQUEST = PayRequest.newBuilder().setAmount(5).build();
  private static final GiftRequest GIFT = GiftRequest.newBuilder().setAmount(5).build();
  private static final RequestKey KEY = new RequestKey("order-1");

  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  private TillServer server(Transport transport) throws Exception {
    TillServer server = new TillServer(transport);
    open.add(server);
    return server;
  }

  private static RetrySettings.Builder quick() {
    return RetrySettings.builder()
        .baseDelay(Duration.ofMillis(1))
        .maxDelay(Duration.ofMillis(2))
        .attemptTimeout(Duration.ofSeconds(20));
  }

  private Channel channel(TillServer server, RetrySettings settings) {
    return through(server.channel(), settings);
  }

  private Channel through(ManagedChannel channel, RetrySettings settings) {
    open.add(0, channel::shutdownNow);
    return ClientInterceptors.intercept(channel, GrpcRetries.create(settings));
  }

  private TillServiceBlockingStub stub(TillServer server) {
    return TillServiceGrpc.newBlockingStub(channel(server, quick().build()));
  }

  private static OutcomeUnknownException unknown(StatusRuntimeException thrown) {
    return OutcomeUnknownException.in(thrown).orElseThrow();
  }

  private static StatusRuntimeException failure(Runnable call) {
    AtomicReference<StatusRuntimeException> thrown = new AtomicReference<>();
    assertThatThrownBy(call::run).isInstanceOfSatisfying(StatusRuntimeException.class, thrown::set);
    return thrown.get();
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void aLostAnswerIsAskedForAgainUnderTheKeyInTheServersOwnField(Transport transport)
      throws Exception {
    TillServer server = server(transport);
    server.answersToLose.set(2);

    TillServiceBlockingStub stub = stub(server);
    PayResponse paid = GrpcRetries.withKey(stub, KEY).pay(REQUEST);

    assertThat(paid.getId()).isEqualTo("p-1");
    assertThat(server.calls).hasValue(3);
    assertThat(server.effects).hasValue(1);
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void whereNoFieldIsTheKeyGoesIntoTheMetadata(Transport transport) throws Exception {
    TillServer server = server(transport);
    server.answersToLose.set(1);
    assertThat(GrpcRetries.withKey(stub(server), KEY).gift(GIFT).getId()).isEqualTo("p-1");
    assertThat(server.calls).hasValue(2);
    assertThat(server.effects).hasValue(1);
  }

  @Test
  void aReplayThatBreaksBehindItsHeadersIsNoAnswer() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(3);
    server.lostAfterHeaders = true;
    assertThat(GrpcRetries.withKey(stub(server), KEY).pay(REQUEST).getId()).isEqualTo("p-1");
    assertThat(server.calls).hasValue(4);
    assertThat(server.effects).hasValue(1);
  }

  @Test
  void theControlWithoutAKeyALostAnswerIsNotAskedForAndAnApplicationsRetryRunsTwice()
      throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    StatusRuntimeException lost = failure(() -> stub(server).gift(GIFT));
    assertThat(lost.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(OutcomeUnknownException.in(lost)).isEmpty();
    assertThat(server.calls).hasValue(1);
    assertThat(stub(server).gift(GIFT).getId()).isEqualTo("p-2");
  }

  @Test
  void aKeyThatStandsInTheRequestAlreadyIsTheCalls() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    PayRequest keyed =
        REQUEST.toBuilder().setHeader(Header.newBuilder().setRequestId("order-1")).build();
    assertThat(stub(server).pay(keyed).getId()).isEqualTo("p-1");
    assertThat(server.calls).hasValue(2);
  }

  @Test
  void anotherKeyInTheRequestThanTheCallsIsRefusedBeforeAnythingIsSent() throws Exception {
    TillServer server = server(Transport.NETTY);
    PayRequest other =
        REQUEST.toBuilder().setHeader(Header.newBuilder().setRequestId("order-2")).build();
    StatusRuntimeException refused =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(other));
    assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
    assertThat(refused).hasMessageNotContaining("order-");
    assertThat(server.calls).hasValue(0);
  }

  @Test
  void aMethodWithoutSideEffectsIsRepeatedWithoutAKey() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    assertThat(stub(server).count(GIFT).getId()).isEqualTo("p-2");
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void futuresAndObserversGetTheAnswerToo(Transport transport) throws Exception {
    TillServer server = server(transport);
    server.answersToLose.set(1);
    Channel channel = channel(server, quick().build());
    assertThat(
            GrpcRetries.withKey(TillServiceGrpc.newFutureStub(channel), KEY)
                .pay(REQUEST)
                .get(30, TimeUnit.SECONDS)
                .getId())
        .isEqualTo("p-1");

    server.answersToLose.set(1);
    CompletableFuture<String> observed = new CompletableFuture<>();
    GrpcRetries.withKey(TillServiceGrpc.newStub(channel), KEY)
        .pay(
            REQUEST,
            new StreamObserver<>() {
              private String id = "";

              @Override
              public void onNext(PayResponse response) {
                id = response.getId();
              }

              @Override
              public void onError(Throwable failure) {
                observed.completeExceptionally(failure);
              }

              @Override
              public void onCompleted() {
                observed.complete(id);
              }
            });
    assertThat(observed.get(30, TimeUnit.SECONDS)).isEqualTo("p-1");
    assertThat(server.effects).hasValue(1);
  }

  @Test
  void anAttemptThatTimedOutIsFoundInFlightAndThenItsAnswerIsThere() throws Exception {
    TillServer server = server(Transport.NETTY);
    CompletableFuture<StreamObserver<PayResponse>> running = new CompletableFuture<>();
    server.handler = (effect, observer) -> running.complete(observer);
    AtomicBoolean seen = new AtomicBoolean();
    RetryListener listener =
        new RetryListener() {
          @Override
          public void retrying(
              int attempt, Verdict verdict, Optional<Throwable> cause, Duration delay) {
            if (verdict == Verdict.IN_FLIGHT && !seen.getAndSet(true)) {
              TillServer.PAID.handle(1, running.join());
            }
          }
        };
    Channel channel =
        channel(
            server,
            quick()
                .attemptTimeout(Duration.ofMillis(500))
                .maxAttempts(100)
                .listener(listener)
                .build());
    var call = GrpcRetries.withKey(TillServiceGrpc.newFutureStub(channel), KEY).pay(REQUEST);
    assertThat(call.get(30, TimeUnit.SECONDS).getId()).isEqualTo("p-1");
    assertThat(seen).isTrue();
    assertThat(server.effects).hasValue(1);
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void whatStaysUnknownHasTheKeyAndIsResumedFromANewChannel(Transport transport) throws Exception {
    TillServer server = server(transport);
    server.answersToLose.set(8);
    StatusRuntimeException thrown =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(unknown(thrown).attempts()).isEqualTo(8);
    String saved = unknown(thrown).key().value();

    TillServiceBlockingStub later = stub(server);
    PayResponse paid = GrpcRetries.resume(later, new RequestKey(saved)).pay(REQUEST);

    assertThat(paid.getId()).isEqualTo("p-1");
    assertThat(server.effects).hasValue(1);
  }

  @Test
  void aHandlerThatFailedIsUnknownAndStaysSo() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.handler = (effect, observer) -> observer.onError(Status.INTERNAL.asRuntimeException());
    StatusRuntimeException first =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(first.getStatus().getCode()).isEqualTo(Status.Code.INTERNAL);
    assertThat(unknown(first).key()).isEqualTo(KEY);
    assertThat(unknown(failure(() -> GrpcRetries.resume(stub(server), KEY).pay(REQUEST))).key())
        .isEqualTo(KEY);
    assertThat(server.effects).hasValue(1);
    assertThat(server.calls).hasValue(2);
  }

  @Test
  void aRefusalIsTheAnswerUnlessAnAttemptBeforeItWasLost() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.handler =
        (effect, observer) -> observer.onError(Status.PERMISSION_DENIED.asRuntimeException());
    StatusRuntimeException refused =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(OutcomeUnknownException.in(refused)).isEmpty();

    server.answersToLose.set(1);
    StatusRuntimeException doubtful =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(doubtful.getStatus().getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
    assertThat(unknown(doubtful).key()).isEqualTo(KEY);
  }

  @Test
  void aMessageThatIsTooLargeForThisClientIsNotAskedForAgain() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.handler =
        (effect, observer) -> {
          observer.onNext(PayResponse.newBuilder().setId("x".repeat(10_000)).build());
          observer.onCompleted();
        };
    TillServiceBlockingStub stub = stub(server).withMaxInboundMessageSize(1_000);
    StatusRuntimeException thrown = failure(() -> GrpcRetries.withKey(stub, KEY).pay(REQUEST));
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.RESOURCE_EXHAUSTED);
    assertThat(unknown(thrown).attempts()).isEqualTo(1);
    assertThat(server.calls).hasValue(1);
  }

  @Test
  void aServerThatIsNotThereSurelyExecutedNothing() throws Exception {
    TillServer server = server(Transport.NETTY);
    int port = server.port();
    server.close();
    Channel channel =
        through(
            NettyChannelBuilder.forAddress("localhost", port).usePlaintext().build(),
            quick().build());
    StatusRuntimeException thrown =
        failure(
            () -> GrpcRetries.withKey(TillServiceGrpc.newBlockingStub(channel), KEY).pay(REQUEST));
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE);
    assertThat(OutcomeUnknownException.in(thrown)).isEmpty();
  }

  @Test
  void aServerThatSaysDoNotRetryIsNotAskedAgain() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    Metadata never = new Metadata();
    never.put(Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), "-1");
    server.lostWith = never;
    StatusRuntimeException thrown =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(unknown(thrown).attempts()).isEqualTo(1);
  }

  @ParameterizedTest
  @ValueSource(strings = {"9223372036854775807", "86400000000", "99999999999999999999", "soon"})
  void aPushbackBeyondAllDeadlinesStopsTheCall(String pushback) throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    Metadata late = new Metadata();
    late.put(Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER), pushback);
    server.lostWith = late;
    StatusRuntimeException thrown =
        failure(() -> GrpcRetries.withKey(stub(server), KEY).pay(REQUEST));
    assertThat(unknown(thrown).stop()).isEqualTo(RetryListener.Stop.DEADLINE);
  }

  @Test
  void detailsThatContradictTheStatusAreNotRead() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(1);
    server.lostWith =
        StatusProto.toStatusRuntimeException(
                com.google.rpc.Status.newBuilder()
                    .setCode(com.google.rpc.Code.ABORTED_VALUE)
                    .setMessage("not the status that it comes with")
                    .build())
            .getTrailers();
    assertThat(GrpcRetries.withKey(stub(server), KEY).pay(REQUEST).getId()).isEqualTo("p-1");
    assertThat(server.calls).hasValue(2);
  }

  @Test
  void theStubsDeadlineEndsTheCallWithTheKey() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.handler = (effect, observer) -> {};
    TillServiceBlockingStub stub = stub(server).withDeadlineAfter(500, TimeUnit.MILLISECONDS);
    StatusRuntimeException thrown = failure(() -> GrpcRetries.withKey(stub, KEY).pay(REQUEST));
    assertThat(unknown(thrown).key()).isEqualTo(KEY);
    assertThat(server.effects).hasValueLessThanOrEqualTo(1);
  }

  @Test
  void cancellingTheContextEndsTheCallAndTheAttempt() throws Exception {
    TillServer server = server(Transport.NETTY);
    CountDownLatch running = new CountDownLatch(1);
    server.handler = (effect, observer) -> running.countDown();
    Channel channel = channel(server, quick().build());
    Context.CancellableContext context = Context.current().withCancellation();
    CompletableFuture<Throwable> ended = new CompletableFuture<>();
    context.run(
        () -> {
          var call = GrpcRetries.withKey(TillServiceGrpc.newFutureStub(channel), KEY).pay(REQUEST);
          call.addListener(
              () -> {
                try {
                  call.get();
                } catch (Exception e) {
                  ended.complete(e.getCause());
                }
              },
              Runnable::run);
        });
    assertThat(running.await(30, TimeUnit.SECONDS)).isTrue();
    context.cancel(new IllegalStateException("the caller has gone"));

    Throwable thrown = ended.get(30, TimeUnit.SECONDS);
    assertThat(Status.fromThrowable(thrown).getCode()).isEqualTo(Status.Code.CANCELLED);
    assertThat(OutcomeUnknownException.in(thrown).orElseThrow().key()).isEqualTo(KEY);
    assertThat(server.calls).hasValue(1);
  }

  @Test
  void oneBudgetServesBothProtocols() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(100);
    RetryBudget shared = RetryBudget.tokens(3, 0);
    Channel channel = channel(server, quick().budget(shared).build());
    StatusRuntimeException thrown =
        failure(
            () -> GrpcRetries.withKey(TillServiceGrpc.newBlockingStub(channel), KEY).pay(REQUEST));
    assertThat(unknown(thrown).attempts()).isEqualTo(4);

    ManualTime time = new ManualTime();
    ScriptedServer http = new ScriptedServer(time, ScriptedServer.Reply.status(503));
    RetrySettings settings = RetrySettings.builder().budget(shared).time(time, () -> 1).build();
    var unused =
        RetryingHttpClient.create(http, settings)
            .sendAsync(
                RetryableRequest.post(ScriptedServer.TARGET, BodySource.none()),
                java.net.http.HttpResponse.BodyHandlers.discarding());
    time.runAll();
    assertThat(http.seen).hasSize(1);
  }

  @Test
  void theGuidesLines() throws Exception {
    TillServer server = server(Transport.NETTY);
    ManagedChannel managed = server.channel();
    open.add(0, managed::shutdownNow);
    server.answersToLose.set(1);
    PayRequest request = REQUEST;

    Channel channel = ClientInterceptors.intercept(managed, GrpcRetries.create());
    TillServiceBlockingStub till = TillServiceGrpc.newBlockingStub(channel);

    RequestKey key = RequestKey.derived("payment", "order-1");
    PayResponse paid = GrpcRetries.withKey(till, key).pay(request);

    assertThat(paid.getId()).isEqualTo("p-1");
    PayResponse again = GrpcRetries.resume(till, key).pay(request);
    assertThat(again).isEqualTo(paid);
  }

  // gRPC's own retries

  @Test
  void theGeneratedConfigNamesOnlyMethodsThatMayBeRepeated() {
    Map<String, Object> config =
        GrpcServiceConfig.retryPolicy(
            RetrySettings.defaults(), TillServiceGrpc.getServiceDescriptor());
    assertThat(config.toString())
        .contains("method=Pay", "method=Count", "maxAttempts=5.0", "0.200000000s", "10.000000000s")
        .doesNotContain("method=Gift");
  }

  @Test
  void grpcItselfRetriesByTheGeneratedConfig() throws Exception {
    TillServer server = server(Transport.NETTY);
    server.answersToLose.set(2);
    Map<String, Object> config =
        GrpcServiceConfig.retryPolicy(quick().build(), TillServiceGrpc.getServiceDescriptor());
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("localhost", server.port())
            .usePlaintext()
            .defaultServiceConfig(config)
            .build();
    open.add(0, channel::shutdownNow);
    PayRequest keyed =
        REQUEST.toBuilder().setHeader(Header.newBuilder().setRequestId("order-1")).build();
    assertThat(TillServiceGrpc.newBlockingStub(channel).pay(keyed).getId()).isEqualTo("p-1");
    assertThat(server.effects).hasValue(1);
    // The control: what is not in the config is sent once.
    server.answersToLose.set(1);
    assertThat(failure(() -> TillServiceGrpc.newBlockingStub(channel).gift(GIFT)).getStatus())
        .matches(status -> status.getCode() == Status.Code.UNAVAILABLE);
  }
}
