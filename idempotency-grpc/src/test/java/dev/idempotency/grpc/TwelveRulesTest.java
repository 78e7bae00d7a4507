package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.ChatServiceGrpc;
import dev.idempotency.grpc.wallet.HistoryServiceGrpc;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.PayoutServiceGrpc;
import dev.idempotency.grpc.wallet.UploadServiceGrpc;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One test for each rule of a correct interceptor. */
@Timeout(60)
class TwelveRulesTest {

  private static final dev.idempotency.store.IdempotencyKey K =
      dev.idempotency.store.IdempotencyKey.of("k");

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule1TheHandlerIsNotStartedBeforeTheMessageIsThereAndTheKeyIsDecided(Transport transport)
      throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      ClientCall<PayRequest, Payment> call =
          server.channel().newCall(WalletServiceGrpc.getPayMethod(), CallOptions.DEFAULT);
      CompletableFuture<Status> closed = new CompletableFuture<>();
      call.start(
          new ClientCall.Listener<>() {
            @Override
            public void onClose(Status status, Metadata trailers) {
              closed.complete(status);
            }
          },
          new Metadata());
      call.sendMessage(WalletServer.request("k", 1));
      call.sendMessage(WalletServer.request("k", 1));
      call.halfClose();

      assertThat(closed.get(10, TimeUnit.SECONDS).getCode()).isEqualTo(Status.Code.INTERNAL);
      assertThat(server.wallet.effects).hasValue(0);
      assertThat(server.record(K)).isEmpty();
      // The control: the very call with one message runs.
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule1AReadySignalFromBeforeTheStartReachesTheHandler(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            AtomicBoolean answered = new AtomicBoolean();
            ((ServerCallStreamObserver<Payment>) observer)
                .setOnReadyHandler(
                    () -> {
                      if (!answered.getAndSet(true)) {
                        Wallet.PAID.to(effect, amount, observer);
                      }
                    });
          };
      assertThat(server.pay(WalletServer.request("k", 5)).payment().getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 5)).replayed()).isTrue();
    }
  }

  @Test
  void rule2AClaimThatTakesLongHoldsUpNoOtherCallOfAnEventLoop() throws Exception {
    CountDownLatch claimReached = new CountDownLatch(1);
    CountDownLatch claimMayGoOn = new CountDownLatch(1);
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    store.afterClaim =
        () -> {
          claimReached.countDown();
          await(claimMayGoOn);
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY, store, s -> s, List.of(), builder -> builder.directExecutor())) {
      var held =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      await(claimReached);
      // The same connection, so the same event loop; this method is not keyed.
      assertThat(server.client().balance(WalletServer.request("k", 2)).getAmount()).isEqualTo(2);
      claimMayGoOn.countDown();
      assertThat(held.get(10, TimeUnit.SECONDS).getAmount()).isEqualTo(1);
    }
  }

  @Test
  void rule2AStoringWriteDoesNotBlockTheThreadThatClosesAndDirectExecutorWorks() throws Exception {
    CountDownLatch storeReached = new CountDownLatch(1);
    CountDownLatch storeMayGoOn = new CountDownLatch(1);
    AtomicBoolean closeReturned = new AtomicBoolean();
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    store.beforeComplete =
        () -> {
          storeReached.countDown();
          await(storeMayGoOn);
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            store,
            settings -> settings.asynchronousClaims(true),
            List.of(),
            builder -> builder.directExecutor())) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            Wallet.PAID.to(effect, amount, observer);
            closeReturned.set(true);
            await(storeReached);
            storeMayGoOn.countDown();
          };
      assertThat(server.pay(WalletServer.request("k", 5)).payment().getAmount()).isEqualTo(5);
      assertThat(closeReturned).isTrue();
    }
  }

  @Test
  void rule3AHandlerThatStartsAfterAWaitRunsInTheContextOfItsCall() throws Exception {
    Context.Key<String> principal = Context.key("principal");
    ServerInterceptor authentication =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            Context context = Context.current().withValue(principal, "alice");
            return Contexts.interceptCall(context, call, headers, next);
          }
        };
    Wallet wallet = new Wallet();
    AtomicReference<String> seen = new AtomicReference<>();
    CompletableFuture<StreamObserver<Payment>> first = new CompletableFuture<>();
    wallet.answer =
        (effect, amount, observer) -> {
          if (effect == 1) {
            first.complete(observer);
          } else {
            seen.set(principal.get() + " " + IdempotencyInterceptor.currentExecution().isPresent());
            Wallet.PAID.to(effect, amount, observer);
          }
        };
    try (dev.idempotency.IdempotencyEngine engine =
        dev.idempotency.IdempotencyEngine.create(
            InMemoryIdempotencyStore.create(), dev.idempotency.IdempotencyConfig.defaults())) {
      String name = "rule3";
      io.grpc.Server server =
          io.grpc.inprocess.InProcessServerBuilder.forName(name)
              .addService(
                  ServerInterceptors.intercept(
                      IdempotencyInterceptor.builder(engine)
                          .oneScopeForAllCallers()
                          .build()
                          .intercept(wallet),
                      authentication))
              .build()
              .start();
      io.grpc.ManagedChannel channel =
          io.grpc.inprocess.InProcessChannelBuilder.forName(name).build();
      try {
        var one = WalletServiceGrpc.newFutureStub(channel).pay(WalletServer.request("k", 1));
        StreamObserver<Payment> observer = first.get(10, TimeUnit.SECONDS);
        var two = WalletServiceGrpc.newFutureStub(channel).pay(WalletServer.request("k", 1));
        awaitWaiter(engine);
        observer.onError(Status.UNAVAILABLE.asRuntimeException());
        assertThat(two.get(10, TimeUnit.SECONDS).getId()).isEqualTo("p-2");
        assertThatThrownBy(one::get).hasMessageContaining("UNAVAILABLE");
        assertThat(seen).hasValue("alice true");
      } finally {
        channel.shutdownNow();
        server.shutdownNow().awaitTermination();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule3AHandlerThatThrowsAfterAWaitClosesItsCall(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      CompletableFuture<StreamObserver<Payment>> first = new CompletableFuture<>();
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (effect == 1) {
              first.complete(observer);
            } else {
              throw sneaky(new java.io.IOException("checked, as other languages throw"));
            }
          };
      var stub = WalletServiceGrpc.newFutureStub(server.channel());
      var one = stub.pay(WalletServer.request("k", 1));
      StreamObserver<Payment> observer = first.get(10, TimeUnit.SECONDS);
      var two = stub.pay(WalletServer.request("k", 1));
      awaitWaiter(server.engine);
      observer.onError(Status.UNAVAILABLE.asRuntimeException());
      assertThatThrownBy(() -> one.get(10, TimeUnit.SECONDS)).hasMessageContaining("UNAVAILABLE");
      assertThatThrownBy(() -> two.get(10, TimeUnit.SECONDS)).hasMessageContaining("UNKNOWN");
    }
  }

  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  private static <T extends Throwable> RuntimeException sneaky(Throwable thrown) throws T {
    throw (T) thrown;
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule4AThrownExceptionProvesNothingAndIsNotRunAgain(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            observer.onNext(Payment.getDefaultInstance());
            throw new IllegalStateException("after onNext");
          };
      assertCode(server, WalletServer.request("k", 1), Status.Code.UNKNOWN, "none");
      assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void rule4AnExceptionAfterACapturedCloseChangesNothing() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.NETTY)) {
      server.wallet.answer =
          (effect, amount, observer) -> {
            Wallet.PAID.to(effect, amount, observer);
            throw new IllegalStateException("after close");
          };
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
    }
  }

  @Test
  void rule5MetadataIsCopiedAndTransportHeadersAreNotReplayed() throws Exception {
    ServerInterceptor inner =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            return next.startCall(
                new SimpleForwardingServerCall<>(call) {
                  @Override
                  public void sendHeaders(Metadata sent) {
                    sent.put(WalletServer.ascii("x-receipt"), "r1");
                    sent.put(WalletServer.ascii("set-cookie"), "session=1");
                    super.sendHeaders(sent);
                    sent.put(WalletServer.ascii("x-late"), "changed after it was sent");
                  }

                  @Override
                  public void close(Status status, Metadata trailers) {
                    trailers.put(WalletServer.ascii("grpc-retry-pushback-ms"), "7");
                    trailers.put(WalletServer.ascii("x-cost"), "3");
                    trailers.put(
                        Metadata.Key.of("x-raw-bin", Metadata.BINARY_BYTE_MARSHALLER),
                        new byte[] {0, -1});
                    super.close(status, trailers);
                  }
                },
                headers);
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            settings -> settings,
            List.of(inner),
            unused -> {})) {
      server.pay(WalletServer.request("k", 1));
      WalletServer.Seen replay = server.pay(WalletServer.request("k", 1));
      assertThat(replay.headers().get(WalletServer.ascii("x-receipt"))).isEqualTo("r1");
      assertThat(replay.headers().containsKey(WalletServer.ascii("set-cookie"))).isFalse();
      assertThat(replay.headers().containsKey(WalletServer.ascii("x-late"))).isFalse();
      assertThat(replay.headers().getAll(WalletServer.ascii("content-type"))).hasSize(1);
      assertThat(replay.trailers().get(WalletServer.ascii("x-cost"))).isEqualTo("3");
      assertThat(replay.trailers().containsKey(WalletServer.ascii("grpc-retry-pushback-ms")))
          .isFalse();
      assertThat(
              replay.trailers().get(Metadata.Key.of("x-raw-bin", Metadata.BINARY_BYTE_MARSHALLER)))
          .containsExactly(0, -1);
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule6AnyCodecWorksBecauseBytesGoThroughTheMarshaller(Transport transport) throws Exception {
    try (TextServer server = new TextServer(transport)) {
      assertThat(server.call("k|a")).isEqualTo("1:a");
      assertThat(server.call("k|a")).isEqualTo("1:a");
      assertThatThrownBy(() -> server.call("k|b")).hasMessageContaining("FAILED_PRECONDITION");
    }
  }

  @Test
  void rule7TheOutcomeIsStoredBeforeTheAnswerIsSent() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    CountDownLatch storeMayGoOn = new CountDownLatch(1);
    CountDownLatch storeReached = new CountDownLatch(1);
    store.beforeComplete =
        () -> {
          storeReached.countDown();
          await(storeMayGoOn);
        };
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      AtomicReference<Boolean> storedWhenSeen = new AtomicReference<>();
      CompletableFuture<Void> done = new CompletableFuture<>();
      WalletServiceGrpc.newStub(server.channel())
          .pay(
              WalletServer.request("k", 1),
              new StreamObserver<>() {
                @Override
                public void onNext(Payment payment) {
                  storedWhenSeen.set(
                      server.record(K).orElseThrow() instanceof StoredRecord.Completed);
                }

                @Override
                public void onError(Throwable t) {
                  done.completeExceptionally(t);
                }

                @Override
                public void onCompleted() {
                  done.complete(null);
                }
              });
      await(storeReached);
      assertThat(done).isNotDone();
      storeMayGoOn.countDown();
      done.get(10, TimeUnit.SECONDS);
      assertThat(storedWhenSeen.get()).isTrue();
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule8TheResultOfACancelledCallIsRecordedWhenItComes(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 9));
      StreamObserver<Payment> observer = running.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      var retry =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 9));
      awaitWaiter(server.engine);
      Wallet.PAID.to(1, 9, observer);
      assertThat(retry.get(10, TimeUnit.SECONDS).getAmount()).isEqualTo(9);
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @Test
  void rule8ACallCancelledBetweenClaimAndStartIsReleased() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    CompletableFuture<Context> claiming = new CompletableFuture<>();
    CountDownLatch released = new CountDownLatch(1);
    store.afterClaim =
        () -> {
          Context context = Context.current();
          CountDownLatch cancelled = new CountDownLatch(1);
          context.addListener(unused -> cancelled.countDown(), Runnable::run);
          claiming.complete(context);
          await(cancelled);
        };
    store.afterRelease = released::countDown;
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      claiming.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      await(released);
      store.afterClaim = () -> {};
      assertThat(server.pay(WalletServer.request("k", 1)).payment().getId()).isEqualTo("p-1");
    }
  }

  @Test
  void rule8AHandlerThatNeverClosesEndsInDoubtWhenItsLimitIsOver() throws Exception {
    try (WalletServer server =
        WalletServer.on(
            Transport.NETTY, s -> s.limitAfterCancel(java.time.Duration.ofMillis(50)))) {
      CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      var call =
          WalletServiceGrpc.newFutureStub(server.channel()).pay(WalletServer.request("k", 1));
      running.get(10, TimeUnit.SECONDS);
      call.cancel(true);
      // Waits until the first one ends.
      assertCode(
          server,
          WalletServer.request("k", 1),
          Status.Code.FAILED_PRECONDITION,
          "IDEMPOTENCY_OUTCOME_UNKNOWN");
    }
  }

  @Test
  void rule9TheLeaseDoesNotFollowTheClientsDeadline() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, s -> s, List.of(), unused -> {})) {
      server.client().withDeadlineAfter(3, TimeUnit.SECONDS).pay(WalletServer.request("k", 1));
      assertThat(store.lastLease).isEqualTo(server.engine.config().lease());
    }
  }

  @Test
  void rule9AKeyIsOwnedBeyondTheDeadlineOfItsCallAsLongAsItsHandlerRuns() throws Exception {
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    CountDownLatch renewals = new CountDownLatch(4);
    CompletableFuture<StreamObserver<Payment>> running = new CompletableFuture<>();
    IdempotencyConfig config =
        IdempotencyConfig.builder().lease(Duration.ofMillis(300)).ttl(Duration.ofHours(1)).build();
    try (WalletServer server =
        new WalletServer(Transport.NETTY, store, config, s -> s, List.of(), unused -> {})) {
      server.wallet.answer = (effect, amount, observer) -> running.complete(observer);
      assertThatThrownBy(
              () ->
                  server
                      .client()
                      .withDeadlineAfter(200, TimeUnit.MILLISECONDS)
                      .pay(WalletServer.request("k", 1)))
          .hasMessageContaining("DEADLINE_EXCEEDED");
      // Four renewals, one every 100 ms, all after the deadline: longer than the first lease.
      store.afterRenew = renewals::countDown;
      await(renewals);
      assertThat(server.record(K).orElseThrow()).isInstanceOf(StoredRecord.InFlight.class);
      Wallet.PAID.to(1, 1, running.get(10, TimeUnit.SECONDS));
      assertThat(server.pay(WalletServer.request("k", 1)).replayed()).isTrue();
      assertThat(server.wallet.effects).hasValue(1);
    }
  }

  @ParameterizedTest
  @EnumSource(Transport.class)
  void rule10AnErrorIsReplayedWithoutHeadersAndASuccessWith(Transport transport) throws Exception {
    try (WalletServer server = WalletServer.on(transport)) {
      server.wallet.answer =
          (effect, amount, observer) ->
              observer.onError(
                  Status.FAILED_PRECONDITION.withDescription("broke").asRuntimeException());
      for (int i = 0; i < 2; i++) {
        boolean replay = i == 1;
        ClientCall<PayRequest, Payment> call =
            server.channel().newCall(WalletServiceGrpc.getPayMethod(), CallOptions.DEFAULT);
        AtomicBoolean headersSeen = new AtomicBoolean();
        CompletableFuture<Status> closed = new CompletableFuture<>();
        AtomicReference<Metadata> trailers = new AtomicReference<>();
        call.start(
            new ClientCall.Listener<>() {
              @Override
              public void onHeaders(Metadata headers) {
                headersSeen.set(true);
              }

              @Override
              public void onClose(Status status, Metadata received) {
                trailers.set(received);
                closed.complete(status);
              }
            },
            new Metadata());
        call.sendMessage(WalletServer.request("k", 1));
        call.halfClose();
        call.request(1);
        assertThat(closed.get(10, TimeUnit.SECONDS).getDescription()).isEqualTo("broke");
        assertThat(headersSeen).isFalse();
        assertThat(trailers.get().containsKey(WalletServer.REPLAYED)).isEqualTo(replay);
      }
      assertThat(server.wallet.effects).hasValue(1);
      server.wallet.answer = Wallet.PAID;
      assertThat(server.pay(WalletServer.request("k2", 1)).replayed()).isFalse();
      assertThat(server.pay(WalletServer.request("k2", 1)).replayed()).isTrue();
    }
  }

  @Test
  void rule11StreamsAreRefusedWhenBoundUnlessTheServersIsToBeRecorded() throws Exception {
    try (WalletServer server = WalletServer.on(Transport.IN_PROCESS)) {
      IdempotencyInterceptor interceptor =
          IdempotencyInterceptor.builder(server.engine).oneScopeForAllCallers().build();
      assertThatThrownBy(
              () -> interceptor.intercept(new UploadServiceGrpc.UploadServiceImplBase() {}))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("wallet.v1.UploadService/Upload")
          .hasMessageContaining("CLIENT_STREAMING");
      assertThatThrownBy(() -> interceptor.intercept(new ChatServiceGrpc.ChatServiceImplBase() {}))
          .hasMessageContaining("wallet.v1.ChatService/Chat")
          .hasMessageContaining("BIDI_STREAMING");
      assertThatThrownBy(
              () -> interceptor.intercept(new HistoryServiceGrpc.HistoryServiceImplBase() {}))
          .hasMessageContaining("wallet.v1.HistoryService/History")
          .hasMessageContaining("max_stream_messages");
      assertThat(
              interceptor.intercept(new PayoutServiceGrpc.PayoutServiceImplBase() {}).getMethods())
          .hasSize(1);
    }
  }

  @Test
  void rule12TheScopeSeesWhatAuthenticationPutIntoTheContext() throws Exception {
    Context.Key<String> principal = Context.key("principal");
    ServerInterceptor authentication =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            Context context =
                Context.current().withValue(principal, headers.get(WalletServer.ascii("user")));
            return Contexts.interceptCall(context, call, headers, next);
          }
        };
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            InMemoryIdempotencyStore.create(),
            settings -> settings.scopeByContext(principal),
            List.of(),
            builder -> builder.intercept(authentication))) {
      PayRequest request = WalletServer.request("k", 1);
      assertThat(server.client(WalletServer.metadata("user", "alice")).pay(request).getId())
          .isEqualTo("p-1");
      assertThat(server.client(WalletServer.metadata("user", "mallory")).pay(request).getId())
          .isEqualTo("p-2");
      assertThat(server.client(WalletServer.metadata("user", "alice")).pay(request).getId())
          .isEqualTo("p-1");
    }
  }

  @Test
  void rule12ACallThatAuthenticationRefusesNeverTouchesAKey() throws Exception {
    assertThat(claimsOfARefusedCall(true)).isZero();
    // The control, the wrong order: the key of a stranger's call is claimed before it is refused.
    assertThat(claimsOfARefusedCall(false)).isEqualTo(1);
  }

  private static int claimsOfARefusedCall(boolean authenticationFirst) throws Exception {
    ServerInterceptor authentication =
        new ServerInterceptor() {
          @Override
          public <Q, S> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            call.close(Status.UNAUTHENTICATED, new Metadata());
            return new ServerCall.Listener<>() {};
          }
        };
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    try (WalletServer server =
        new WalletServer(
            Transport.NETTY,
            store,
            s -> s,
            authenticationFirst ? List.of() : List.of(authentication),
            builder -> {
              if (authenticationFirst) {
                builder.intercept(authentication);
              }
            })) {
      assertThatThrownBy(() -> server.client().pay(WalletServer.request("k", 1)))
          .hasMessageContaining("UNAUTHENTICATED");
      assertThat(server.wallet.effects).hasValue(0);
      return store.claims.get();
    }
  }

  static void assertCode(WalletServer server, PayRequest request, Status.Code code, String reason)
      throws Exception {
    StatusRuntimeException refused =
        catchThrowableOfType(StatusRuntimeException.class, () -> server.client().pay(request));
    assertThat(refused).isNotNull();
    assertThat(refused.getStatus().getCode()).isEqualTo(code);
    assertThat(WalletServer.reason(refused)).isEqualTo(reason);
  }

  static void awaitWaiter(dev.idempotency.IdempotencyEngine engine) {
    await(() -> engine.waiters() > 0);
  }

  /** Looks until it is so; fails instead of hanging where it never is. */
  static void await(java.util.function.BooleanSupplier condition) {
    long giveUp = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("never became so").isLessThan(giveUp);
      Thread.onSpinWait();
    }
  }

  static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(20, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
