package dev.idempotency.example.transfer;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.example.transfer.v1.Transfer;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.TimeUnit;

/** A caller of one service over gRPC, which sees answers as the bytes that came. */
final class GrpcCaller implements AutoCloseable {

  private static final MethodDescriptor<byte[], byte[]> CREATE =
      MethodDescriptor.<byte[], byte[]>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("transfer.v1.TransferService/CreateTransfer")
          .setRequestMarshaller(new Bytes())
          .setResponseMarshaller(new Bytes())
          .build();

  private final ManagedChannel channel;

  GrpcCaller(int port) {
    this.channel = NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
  }

  static CreateTransferRequest order(String key, long amount) {
    return CreateTransferRequest.newBuilder()
        .setIdempotencyKey(key)
        .setFromAccount("alice")
        .setToAccount("bob")
        .setAmount(amount)
        .setCurrency("EUR")
        .build();
  }

  /** The response's bytes, or a StatusRuntimeException. */
  ByteString create(MessageLite request) {
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(20, TimeUnit.SECONDS);
    return ByteString.copyFrom(
        ClientCalls.blockingUnaryCall(channel, CREATE, options, request.toByteArray()));
  }

  static Transfer parse(ByteString response) throws InvalidProtocolBufferException {
    return Transfer.parseFrom(response);
  }

  ManagedChannel channel() {
    return channel;
  }

  TransferServiceGrpc.TransferServiceBlockingStub stub() {
    return TransferServiceGrpc.newBlockingStub(channel).withDeadlineAfter(20, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {

    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
