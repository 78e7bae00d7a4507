package dev.idempotency.grpc;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import dev.idempotency.Execution;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.scenario.ScenarioRequest;
import dev.idempotency.grpc.scenario.ScenarioResponse;
import dev.idempotency.grpc.scenario.ScenarioServiceGrpc;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.scenario.Call;
import dev.idempotency.testing.scenario.Reply;
import dev.idempotency.testing.scenario.Scenario;
import dev.idempotency.testing.scenario.Scenarios;
import dev.idempotency.testing.scenario.Transport;
import dev.idempotency.testing.scenario.Work;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerBuilder;
import io.grpc.Status;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Plays the shared scenarios over gRPC: on a socket, or in-process. */
enum GrpcTransport implements Transport {
  NETTY("gRPC, Netty"),
  IN_PROCESS("gRPC, in-process");

  private static final Metadata.Key<String> CALLER = WalletServer.ascii("caller");

  private final String label;

  GrpcTransport(String label) {
    this.label = label;
  }

  @Override
  public String toString() {
    return label;
  }

  @Override
  public String column() {
    return "gRPC";
  }

  @Override
  public Server serve(IdempotencyEngine engine, Handler handler) throws Exception {
    String name = UUID.randomUUID().toString();
    ServerBuilder<?> builder =
        this == NETTY
            ? NettyServerBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            : InProcessServerBuilder.forName(name);
    IdempotencyInterceptor interceptor =
        IdempotencyInterceptor.builder(engine)
            .scopeByMetadata(CALLER.name())
            .limitAfterCancel(Duration.ofSeconds(1))
            .build();
    io.grpc.Server server =
        builder.addService(interceptor.intercept(new Service(handler))).build().start();
    return new Running(
        server,
        this == NETTY
            ? NettyChannelBuilder.forAddress("localhost", server.getPort()).usePlaintext().build()
            : InProcessChannelBuilder.forName(name).build());
  }

  private static final class Service extends ScenarioServiceGrpc.ScenarioServiceImplBase {
    private final Handler handler;

    Service(Handler handler) {
      this.handler = handler;
    }

    private void handle(ScenarioRequest request, StreamObserver<ScenarioResponse> observer) {
      try {
        handler.handle(
            new Running.GrpcWork(request, observer, IdempotencyInterceptor.currentExecution()));
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void refuse(ScenarioRequest request, StreamObserver<ScenarioResponse> observer) {
      handle(request, observer);
    }

    @Override
    public void wait(ScenarioRequest request, StreamObserver<ScenarioResponse> observer) {
      handle(request, observer);
    }

    @Override
    public void optional(ScenarioRequest request, StreamObserver<ScenarioResponse> observer) {
      handle(request, observer);
    }
  }

  private record Running(io.grpc.Server server, ManagedChannel channel) implements Server {

    private record GrpcWork(
        ScenarioRequest request,
        StreamObserver<ScenarioResponse> observer,
        Optional<Execution> execution)
        implements Work {

      @Override
      public byte[] body() {
        return request.getBody().toByteArray();
      }

      @Override
      public void detach(Duration limit) {
        // Every handler of a stub may answer later.
      }

      @Override
      public void answer(byte[] result) {
        observer.onNext(response(result));
        observer.onCompleted();
      }

      @Override
      public void decline() {
        observer.onError(
            Status.FAILED_PRECONDITION.withDescription("declined").asRuntimeException());
      }

      @Override
      public void turnAway() {
        observer.onError(Status.RESOURCE_EXHAUSTED.asRuntimeException());
      }

      @Override
      public void fail() {
        observer.onError(Status.INTERNAL.asRuntimeException());
      }
    }

    private static ScenarioResponse response(byte[] result) {
      return ScenarioResponse.newBuilder().setBody(ByteString.copyFrom(result)).build();
    }

    private static MethodDescriptor<ScenarioRequest, ScenarioResponse> method(Call.Route route) {
      return switch (route) {
        case REFUSE, SMALL -> ScenarioServiceGrpc.getRefuseMethod();
        case WAIT -> ScenarioServiceGrpc.getWaitMethod();
        case OPTIONAL -> ScenarioServiceGrpc.getOptionalMethod();
      };
    }

    @Override
    public CompletableFuture<Reply> send(Call call) {
      ClientCall<ScenarioRequest, ScenarioResponse> sent =
          channel.newCall(
              method(call.route()), CallOptions.DEFAULT.withDeadlineAfter(30, TimeUnit.SECONDS));
      Metadata headers = new Metadata();
      call.caller().ifPresent(caller -> headers.put(CALLER, caller));
      Collecting reply = new Collecting();
      sent.start(reply, headers);
      sent.request(2);
      sent.sendMessage(
          ScenarioRequest.newBuilder()
              .setIdempotencyKey(call.key().orElse(""))
              .setBody(ByteString.copyFrom(call.body()))
              .build());
      sent.halfClose();
      var unused =
          reply.future.whenComplete(
              (end, failure) -> {
                if (reply.future.isCancelled()) {
                  sent.cancel("the client goes", failure);
                }
              });
      return reply.future;
    }

    @Override
    public Outcome outcomeOf(byte[] result) {
      return RecordedAnswers.ok(ScenarioServiceGrpc.getRefuseMethod(), response(result));
    }

    @Override
    public IdempotencyKey keyOf(Call call) {
      return new IdempotencyKey(
          call.caller().map(caller -> "metadata(caller):" + caller).orElse("anonymous"),
          call.key().orElseThrow());
    }

    @Override
    public Optional<String> cannot(Scenario scenario) {
      return scenario.equals(Scenarios.REQUEST_TOO_LARGE)
          ? Optional.of("gRPC's own maxInboundMessageSize refuses it before any interceptor")
          : Optional.empty();
    }

    @Override
    public void close() throws InterruptedException {
      channel.shutdownNow();
      server.shutdownNow();
      channel.awaitTermination(5, TimeUnit.SECONDS);
      server.awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  /** One answer; runs on the channel's threads. */
  private static final class Collecting extends ClientCall.Listener<ScenarioResponse> {

    final CompletableFuture<Reply> future = new CompletableFuture<>();
    private boolean replayed;
    private byte[] result = new byte[0];

    @Override
    public void onHeaders(Metadata headers) {
      replayed |= headers.containsKey(WalletServer.REPLAYED);
    }

    @Override
    public void onMessage(ScenarioResponse message) {
      result = message.getBody().toByteArray();
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      replayed |= trailers.containsKey(WalletServer.REPLAYED);
      future.complete(
          new Reply(
              kind(status, trailers),
              result,
              replayed,
              Optional.ofNullable(trailers.get(OwnAnswer.PUSHBACK))
                  .map(millis -> Duration.ofMillis(Long.parseLong(millis)))));
    }

    private static Reply.Kind kind(Status status, Metadata trailers) {
      String reason = reason(status, trailers);
      return switch (reason) {
        case "IDEMPOTENCY_KEY_MISSING" -> Reply.Kind.KEY_MISSING;
        case "IDEMPOTENCY_KEY_MALFORMED" -> Reply.Kind.KEY_MALFORMED;
        case "IDEMPOTENCY_KEY_REUSED" -> Reply.Kind.KEY_REUSED;
        case "IDEMPOTENCY_KEY_IN_FLIGHT" -> Reply.Kind.IN_FLIGHT;
        case "IDEMPOTENCY_OUTCOME_UNKNOWN" -> Reply.Kind.OUTCOME_UNKNOWN;
        case "IDEMPOTENCY_RESULT_NOT_KEPT" -> Reply.Kind.RESULT_NOT_KEPT;
        case "IDEMPOTENCY_STORE_UNAVAILABLE" -> Reply.Kind.STORE_UNAVAILABLE;
        case "" ->
            switch (status.getCode()) {
              case OK -> Reply.Kind.RESULT;
              case FAILED_PRECONDITION -> Reply.Kind.DECLINED;
              case RESOURCE_EXHAUSTED -> Reply.Kind.TURNED_AWAY;
              case INTERNAL, UNKNOWN -> Reply.Kind.FAILED;
              default -> throw new AssertionError("unexpected: " + status);
            };
        default -> throw new AssertionError("unexpected: " + reason);
      };
    }

    private static String reason(Status status, Metadata trailers) {
      com.google.rpc.Status details = StatusProto.fromStatusAndTrailers(status, trailers);
      try {
        return details.getDetailsCount() == 0
            ? ""
            : details.getDetails(0).unpack(ErrorInfo.class).getReason();
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
  }
}
