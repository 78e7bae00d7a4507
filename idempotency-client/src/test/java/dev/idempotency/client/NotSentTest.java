package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.client.RetryListener.Stop;
import dev.idempotency.client.till.PayRequest;
import dev.idempotency.client.till.TillServiceGrpc;
import dev.idempotency.client.till.TillServiceGrpc.TillServiceBlockingStub;
import io.grpc.CallCredentials;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.inprocess.InProcessChannelBuilder;
import io.grpc.inprocess.InProcessServerBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls over gRPC of which it can be known that no server acted on them. */
@Timeout(60)
class NotSentTest {

  private static final PayRequest REQUEST = PayRequest.newBuilder().setAmount(5).build();
  private static final RequestKey KEY = new RequestKey("order-1");

  private final List<AutoCloseable> open = new ArrayList<>();

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
  }

  private static RetrySettings.Builder quick() {
    return RetrySettings.builder()
        .baseDelay(Duration.ofMillis(1))
        .maxDelay(Duration.ofMillis(2))
        .maxAttempts(3);
  }

  private TillServiceBlockingStub stub(ManagedChannel managed) {
    return stub(managed, quick().build());
  }

  private TillServiceBlockingStub stub(ManagedChannel managed, RetrySettings settings) {
    open.add(managed::shutdownNow);
    Channel channel = ClientInterceptors.intercept(managed, GrpcRetries.create(settings));
    return GrpcRetries.withKey(TillServiceGrpc.newBlockingStub(channel), KEY);
  }

  private static StatusRuntimeException failure(TillServiceBlockingStub stub) {
    AtomicReference<StatusRuntimeException> thrown = new AtomicReference<>();
    assertThatThrownBy(() -> stub.pay(REQUEST))
        .isInstanceOfSatisfying(StatusRuntimeException.class, thrown::set);
    return thrown.get();
  }

  private static NotExecutedException notExecuted(StatusRuntimeException thrown) {
    assertThat(OutcomeUnknownException.in(thrown)).as(thrown.toString()).isEmpty();
    NotExecutedException found = NotExecutedException.in(thrown).orElseThrow();
    assertThat(found.key()).isEqualTo(KEY);
    return found;
  }

  private static NettyChannelBuilder to(String host, int port) {
    return NettyChannelBuilder.forAddress(host, port);
  }

  @Test
  void anUnknownHost() {
    NotExecutedException e =
        notExecuted(failure(stub(to("no-such-host.invalid", 443).usePlaintext().build())));
    assertThat(e.stop()).isEqualTo(Stop.ATTEMPTS);
  }

  @Test
  void aServerWithoutTls() throws Exception {
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    open.add(server);
    notExecuted(failure(stub(to("localhost", server.port()).build())));
    assertThat(server.calls).hasValue(0);
  }

  @Test
  void aChannelThatWasShutDownIsNotTriedAgain() throws Exception {
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    open.add(server);
    ManagedChannel managed = server.channel();
    TillServiceBlockingStub stub = stub(managed);
    managed.shutdownNow();
    NotExecutedException e = notExecuted(failure(stub));
    assertThat(e.attempts()).isEqualTo(1);
    assertThat(e.stop()).isEqualTo(Stop.NOT_RETRYABLE);
  }

  @Test
  void credentialsThatFail() throws Exception {
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    open.add(server);
    CallCredentials failing =
        new CallCredentials() {
          @Override
          public void applyRequestMetadata(
              RequestInfo request, Executor executor, MetadataApplier applier) {
            applier.fail(Status.UNAUTHENTICATED.withDescription("no token, for the test"));
          }
        };
    StatusRuntimeException thrown = failure(stub(server.channel()).withCallCredentials(failing));
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
    notExecuted(thrown);
    assertThat(server.calls).hasValue(0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void waitingForAServerThatNeverBecomesReady(boolean stubsDeadline) {
    RetrySettings settings =
        quick().attemptTimeout(Duration.ofMillis(200)).deadline(Duration.ofSeconds(1)).build();
    TillServiceBlockingStub stub =
        stub(to("localhost", freePort()).usePlaintext().build(), settings).withWaitForReady();
    StatusRuntimeException thrown =
        failure(stubsDeadline ? stub.withDeadlineAfter(300, TimeUnit.MILLISECONDS) : stub);
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    notExecuted(thrown);
  }

  @Test
  void aDeadlineThatHadPassedBefore() throws Exception {
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    open.add(server);
    TillServiceBlockingStub stub = stub(server.channel()).withDeadlineAfter(-1, TimeUnit.SECONDS);
    NotExecutedException e = notExecuted(failure(stub));
    assertThat(e.attempts()).isZero();
    assertThat(e.stop()).isEqualTo(Stop.DEADLINE);
    assertThat(server.calls).hasValue(0);
  }

  @Test
  void aKeyThatTheServerMayHaveForgotten() throws Exception {
    TillServer server = new TillServer(TillServer.Transport.NETTY);
    open.add(server);
    ManagedChannel managed = server.channel();
    open.add(managed::shutdownNow);
    Channel channel = ClientInterceptors.intercept(managed, GrpcRetries.create());
    RequestKey old = RequestKey.random(() -> Instant.now().minus(Duration.ofHours(25)));
    TillServiceBlockingStub till = TillServiceGrpc.newBlockingStub(channel);
    StatusRuntimeException thrown = failure(GrpcRetries.resume(till, old));
    assertThat(thrown.getStatus().getCode()).isEqualTo(Status.Code.FAILED_PRECONDITION);
    assertThat(KeyExpiredException.in(thrown).orElseThrow().mayHaveExecuted()).isTrue();
    Instant past = Instant.now().minusSeconds(1);
    thrown = failure(GrpcRetries.resume(till, KEY, past));
    assertThat(KeyExpiredException.in(thrown).orElseThrow().expires()).isEqualTo(past);
    assertThat(server.calls).hasValue(0);
  }

  /** RFC 9113 section 8.7: REFUSED_STREAM; section 6.8: GOAWAY with a lower stream id. */
  @ParameterizedTest
  @ValueSource(strings = {"RST_STREAM 7", "GOAWAY"})
  void aStreamThatTheServerRefused(String frame) throws Exception {
    try (Http2Refusals server = new Http2Refusals(frame)) {
      notExecuted(failure(stub(to("localhost", server.port()).usePlaintext().build())));
    }
  }

  @Test
  void theControlAStreamThatTheServerResetForAnotherReasonMayHaveRun() throws Exception {
    // INTERNAL_ERROR
    try (Http2Refusals server = new Http2Refusals("RST_STREAM 2")) {
      StatusRuntimeException thrown =
          failure(stub(to("localhost", server.port()).usePlaintext().build()));
      assertThat(OutcomeUnknownException.in(thrown)).isPresent();
    }
  }

  @Test
  void theCauseOfAHandlersFailureIsNotTheCalls() throws Exception {
    open.add(
        InProcessServerBuilder.forName("not-sent")
                .addService(
                    new TillServiceGrpc.TillServiceImplBase() {
                      @Override
                      public void pay(
                          PayRequest request,
                          StreamObserver<dev.idempotency.client.till.PayResponse> observer) {
                        observer.onError(
                            Status.UNAVAILABLE
                                .withDescription("HTTP/2 error code: REFUSED_STREAM")
                                .withCause(
                                    new IllegalStateException(
                                        new ConnectException("the handler's database")))
                                .asRuntimeException());
                      }
                    })
                .build()
                .start()
            ::shutdownNow);
    StatusRuntimeException thrown =
        failure(
            stub(
                InProcessChannelBuilder.forName("not-sent")
                    .propagateCauseWithStatus(true)
                    .build()));
    assertThat(OutcomeUnknownException.in(thrown)).isPresent();
  }

  private static int freePort() {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Speaks just enough HTTP/2 to refuse every stream once its headers have come. */
  private static final class Http2Refusals implements AutoCloseable {

    private static final int HEADERS = 1;
    private static final int SETTINGS = 4;

    private final ServerSocket listening =
        new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    private final String frame;

    Http2Refusals(String frame) throws IOException {
      this.frame = frame;
      start(
          () -> {
            while (true) {
              Socket socket = listening.accept();
              start(() -> serve(socket));
            }
          });
    }

    int port() {
      return listening.getLocalPort();
    }

    private interface Work {
      void run() throws IOException;
    }

    private static void start(Work work) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  work.run();
                } catch (IOException e) {
                  // The test is over, or the client has gone.
                  return;
                }
              });
      thread.setDaemon(true);
      thread.start();
    }

    private void serve(Socket socket) throws IOException {
      DataInputStream in = new DataInputStream(socket.getInputStream());
      OutputStream out = socket.getOutputStream();
      in.readNBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII).length);
      out.write(frame(SETTINGS, 0, 0, new byte[0]));
      while (true) {
        int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
        int type = in.readUnsignedByte();
        int flags = in.readUnsignedByte();
        int stream = in.readInt();
        in.readNBytes(length);
        if (type == SETTINGS && (flags & 1) == 0) {
          out.write(frame(SETTINGS, 1, 0, new byte[0]));
        } else if (type == HEADERS) {
          refuse(out, stream);
        }
      }
    }

    private void refuse(OutputStream out, int stream) throws IOException {
      if (frame.equals("GOAWAY")) {
        // The last stream that was processed is none.
        out.write(frame(7, 0, 0, new byte[8]));
      } else {
        byte code = Byte.parseByte(frame.substring("RST_STREAM ".length()));
        out.write(frame(3, 0, stream, new byte[] {0, 0, 0, code}));
      }
      out.flush();
    }

    private static byte[] frame(int type, int flags, int stream, byte[] payload) {
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(9 + payload.length);
      bytes.put((byte) 0).putShort((short) payload.length);
      bytes.put((byte) type).put((byte) flags).putInt(stream).put(payload);
      return bytes.array();
    }

    @Override
    public void close() throws IOException {
      listening.close();
    }
  }
}
