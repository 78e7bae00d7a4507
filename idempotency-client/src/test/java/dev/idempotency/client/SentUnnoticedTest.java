package dev.idempotency.client;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.util.concurrent.ListenableFuture;
import dev.idempotency.client.till.PayRequest;
import dev.idempotency.client.till.PayResponse;
import dev.idempotency.client.till.TillServiceGrpc;
import io.grpc.Attributes;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ClientStreamTracer;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A call that was sent, or may yet be, before its transport says so, is never "not executed". */
@Timeout(60)
class SentUnnoticedTest {

  private static final PayRequest REQUEST = PayRequest.newBuilder().setAmount(5).build();
  private static final RequestKey KEY = new RequestKey("order-1");

  private final ManualTime time = new ManualTime();
  private final Context.CancellableContext context = Context.current().withCancellation();
  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  /** How a call ends that has no answer. */
  enum End {
    CONTEXT_CANCELLED {
      @Override
      void happens(SentUnnoticedTest test) {
        test.context.cancel(null);
      }
    },
    TIMED_OUT {
      @Override
      void happens(SentUnnoticedTest test) {
        test.time.runAll();
      }
    };

    abstract void happens(SentUnnoticedTest test);
  }

  /** The event loop is held where it is about to say that the headers are on the wire. */
  @ParameterizedTest
  @EnumSource
  void aServerMayHaveIt(End end) throws Exception {
    CountDownLatch heldBack = new CountDownLatch(1);
    EventLoopGroup loop = new NioEventLoopGroup(1);
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    CountDownLatch running = new CountDownLatch(1);
    server.handler = (effect, observer) -> running.countDown();
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("localhost", server.port())
            .usePlaintext()
            .eventLoopGroup(loop)
            .channelType(NioSocketChannel.class)
            .build();
    open.add(heldBack::countDown);
    open.add(() -> channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS));
    open.add(server);
    open.add(() -> loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).await(10, TimeUnit.SECONDS));

    ListenableFuture<PayResponse> call =
        pay(channel, ofStreams(() -> Uninterrupted.await(heldBack)));
    assertThat(running.await(30, TimeUnit.SECONDS)).isTrue();
    end.happens(this);

    assertThat(OutcomeUnknownException.in(failure(call))).isPresent();
  }

  /** The connection comes up in the moment in which the call is given up. */
  @ParameterizedTest
  @EnumSource
  void aServerMayGetItYet(End end) throws Exception {
    CompletableFuture<Void> cancelled = new CompletableFuture<>();
    ListenableFuture<PayResponse> call = pay(new LateChannel(cancelled), null);
    end.happens(this);

    assertThat(OutcomeUnknownException.in(failure(call))).isPresent();
    assertThat(cancelled).isCompleted();
  }

  private ListenableFuture<PayResponse> pay(Channel channel, ClientStreamTracer.Factory streams)
      throws Exception {
    RetrySettings settings =
        RetrySettings.builder()
            .attemptTimeout(Duration.ofSeconds(50))
            .maxAttempts(1)
            .time(time, () -> 1)
            .build();
    Channel retried = ClientInterceptors.intercept(channel, GrpcRetries.create(settings));
    if (streams != null) {
      retried = ClientInterceptors.intercept(retried, tracing(streams));
    }
    TillServiceGrpc.TillServiceFutureStub stub = TillServiceGrpc.newFutureStub(retried);
    return context.call(() -> GrpcRetries.withKey(stub, KEY).pay(REQUEST));
  }

  private static Throwable failure(ListenableFuture<PayResponse> call) throws Exception {
    try {
      throw new AssertionError("answered " + call.get(30, TimeUnit.SECONDS));
    } catch (ExecutionException e) {
      return e.getCause();
    }
  }

  private static ClientInterceptor tracing(ClientStreamTracer.Factory streams) {
    return new ClientInterceptor() {
      @Override
      public <Q, S> ClientCall<Q, S> interceptCall(
          MethodDescriptor<Q, S> method, CallOptions options, Channel next) {
        return next.newCall(method, options.withStreamTracerFactory(streams));
      }
    };
  }

  private static ClientStreamTracer.Factory ofStreams(Runnable onHeaders) {
    return new ClientStreamTracer.Factory() {
      @Override
      public ClientStreamTracer newClientStreamTracer(
          ClientStreamTracer.StreamInfo info, Metadata headers) {
        return new ClientStreamTracer() {
          @Override
          public void outboundHeaders() {
            onHeaders.run();
          }
        };
      }
    };
  }

  private static final class Uninterrupted {
    static void await(CountDownLatch latch) {
      boolean interrupted = false;
      while (true) {
        try {
          latch.await();
          break;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Has no connection until its call is cancelled, and sends the call then. */
  private static final class LateChannel extends Channel {
    private final CompletableFuture<Void> cancelled;

    LateChannel(CompletableFuture<Void> cancelled) {
      this.cancelled = cancelled;
    }

    @Override
    public <Q, S> ClientCall<Q, S> newCall(MethodDescriptor<Q, S> method, CallOptions options) {
      ClientStreamTracer stream =
          options
              .getStreamTracerFactories()
              .get(0)
              .newClientStreamTracer(
                  ClientStreamTracer.StreamInfo.newBuilder().build(), new Metadata());
      return new ClientCall<>() {
        @Override
        public void start(Listener<S> listener, Metadata headers) {}

        @Override
        public void request(int messages) {}

        @Override
        public void cancel(String why, Throwable cause) {
          stream.streamCreated(Attributes.EMPTY, new Metadata());
          cancelled.complete(null);
        }

        @Override
        public void halfClose() {}

        @Override
        public void sendMessage(Q message) {}
      };
    }

    @Override
    public String authority() {
      return "late";
    }
  }
}
