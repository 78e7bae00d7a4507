import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.example.transfer.v1.GetAccountRequest;
import dev.idempotency.example.transfer.v1.Transfer;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;

/** Drives a running example: a transfer and its retry, over HTTP and over gRPC; checks balances. */
public final class DriveExample {

  private static final HttpClient CLIENT = HttpClient.newHttpClient();

  public static void main(String[] ports) throws Exception {
    String http = "http://127.0.0.1:" + ports[0];
    overHttp(http);
    overGrpc(Integer.parseInt(ports[1]));
    expect("bob's balance", "\"balance\":5000", get(http + "/v1/accounts/bob"));
    expect("alice's balance", "\"balance\":95000", get(http + "/v1/accounts/alice"));
    System.out.println("drive: two transfers, two retries, each moved money once");
  }

  private static void overHttp(String http) throws Exception {
    HttpResponse<byte[]> first = post(http, "ci-http-1", 2500);
    HttpResponse<byte[]> retry = post(http, "ci-http-1", 2500);
    HttpResponse<byte[]> other = post(http, "ci-http-1", 2600);
    expect("first HTTP status", 201, first.statusCode());
    expect("retried HTTP status", 201, retry.statusCode());
    expect("same bytes", true, Arrays.equals(first.body(), retry.body()));
    expect("marker", "true", retry.headers().firstValue("Idempotent-Replayed").orElse("none"));
    expect("another amount", 422, other.statusCode());
  }

  private static void overGrpc(int port) {
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    try {
      TransferServiceGrpc.TransferServiceBlockingStub stub =
          TransferServiceGrpc.newBlockingStub(channel);
      Transfer first = stub.createTransfer(request(2500));
      Transfer retry = stub.createTransfer(request(2500));
      expect("same message", first.toByteString(), retry.toByteString());
      try {
        stub.createTransfer(request(2600));
        throw new AssertionError("another amount with the same key was accepted");
      } catch (StatusRuntimeException e) {
        expect("another amount", Status.Code.FAILED_PRECONDITION, e.getStatus().getCode());
      }
      long balance =
          stub.getAccount(GetAccountRequest.newBuilder().setId("bob").build()).getBalance();
      expect("bob's balance over gRPC", 5000L, balance);
    } finally {
      channel.shutdownNow();
    }
  }

  private static CreateTransferRequest request(long amount) {
    return CreateTransferRequest.newBuilder()
        .setIdempotencyKey("ci-grpc-1")
        .setFromAccount("alice")
        .setToAccount("bob")
        .setAmount(amount)
        .setCurrency("EUR")
        .build();
  }

  private static HttpResponse<byte[]> post(String http, String key, long amount) throws Exception {
    String body =
        "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":" + amount + ",\"currency\":\"EUR\"}";
    return CLIENT.send(
        HttpRequest.newBuilder(URI.create(http + "/v1/transfers"))
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", key)
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build(),
        HttpResponse.BodyHandlers.ofByteArray());
  }

  private static String get(String uri) throws Exception {
    String body =
        CLIENT
            .send(
                HttpRequest.newBuilder(URI.create(uri)).build(),
                HttpResponse.BodyHandlers.ofString())
            .body();
    int balance = body.indexOf("\"balance\"");
    return body.substring(balance, body.indexOf(',', balance));
  }

  private static void expect(String what, Object expected, Object actual) {
    if (!expected.equals(actual)) {
      throw new AssertionError(what + ": expected " + expected + ", but was " + actual);
    }
  }
}
