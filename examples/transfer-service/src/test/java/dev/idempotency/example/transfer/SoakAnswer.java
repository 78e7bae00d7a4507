package dev.idempotency.example.transfer;

import com.google.protobuf.TextFormat;
import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.example.transfer.v1.Transfer;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/**
 * How one request of the soak was answered.
 *
 * @param result all of a successful answer that a retry must find again; empty for others
 */
record SoakAnswer(Kind kind, String result) {

  /** Shorter than a freeze, so that a frozen server's keys are asked for at the other one. */
  private static final Duration TIMEOUT = Duration.ofMillis(1500);

  private static final Metadata.Key<String> REPLAYED =
      Metadata.Key.of("idempotency-replayed", Metadata.ASCII_STRING_MARSHALLER);

  enum Kind {
    EXECUTED("answered by its own execution"),
    REPLAYED("replayed"),
    IN_FLIGHT("rejected: in flight"),
    STORE_UNAVAILABLE("rejected: Redis not available"),
    LEDGER_UNAVAILABLE("rejected: ledger not available"),
    IN_DOUBT("in doubt: the answer of the ledger was lost"),
    OUTCOME_UNKNOWN("outcome unknown"),
    MISMATCH("rejected: key used for another request"),
    FAILED("other errors"),
    NO_ANSWER("no answer: server killed or frozen");

    final String title;

    Kind(String title) {
      this.title = title;
    }
  }

  private static SoakAnswer of(Kind kind) {
    return new SoakAnswer(kind, "");
  }

  private static SoakAnswer failed(String answer) {
    System.err.println("an answer that the soak does not know: " + answer);
    return of(Kind.FAILED);
  }

  boolean succeeded() {
    return kind == Kind.EXECUTED || kind == Kind.REPLAYED;
  }

  /** Whether a client has nothing more to ask. */
  boolean isFinal() {
    return succeeded() || kind == Kind.OUTCOME_UNKNOWN || kind == Kind.MISMATCH;
  }

  static SoakAnswer overHttp(HttpCaller http, String key, String body) {
    HttpResponse<String> response;
    try {
      response =
          http.send(
              http.request("/v1/transfers")
                  .timeout(TIMEOUT)
                  .header("Idempotency-Key", key)
                  .header("Content-Type", "application/json")
                  .POST(BodyPublishers.ofString(body))
                  .build());
    } catch (IOException e) {
      return of(Kind.NO_ANSWER);
    } catch (InterruptedException e) {
      throw new IllegalStateException("nobody interrupts the clients", e);
    }
    return switch (response.statusCode()) {
      case 201 ->
          new SoakAnswer(
              HttpCaller.replayed(response).isPresent() ? Kind.REPLAYED : Kind.EXECUTED,
              response.headers().firstValue("Content-Type").orElse("none")
                  + " "
                  + response.headers().firstValue("Location").orElse("none")
                  + " "
                  + response.body());
      case 409 -> of(HttpCaller.isInFlight(response) ? Kind.IN_FLIGHT : Kind.OUTCOME_UNKNOWN);
      case 422 -> of(Kind.MISMATCH);
      case 500 ->
          response.body().contains("in-doubt")
              ? of(Kind.IN_DOUBT)
              : failed(response.statusCode() + " " + response.body());
      case 503 ->
          of(
              response.body().contains("store-unavailable")
                  ? Kind.STORE_UNAVAILABLE
                  : Kind.LEDGER_UNAVAILABLE);
      default -> failed(response.statusCode() + " " + response.body());
    };
  }

  static SoakAnswer overGrpc(GrpcCaller grpc, CreateTransferRequest request) {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    try {
      Transfer transfer =
          TransferServiceGrpc.newBlockingStub(
                  ClientInterceptors.intercept(
                      grpc.channel(),
                      MetadataUtils.newCaptureMetadataInterceptor(headers, trailers)))
              .withDeadlineAfter(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
              .createTransfer(request);
      return new SoakAnswer(
          "true".equals(headers.get().get(REPLAYED)) ? Kind.REPLAYED : Kind.EXECUTED,
          TextFormat.printer().emittingSingleLine(true).printToString(transfer));
    } catch (StatusRuntimeException e) {
      String text = String.valueOf(e.getStatus().getDescription());
      return switch (e.getStatus().getCode()) {
        case ABORTED -> of(Kind.IN_FLIGHT);
        case FAILED_PRECONDITION ->
            of(text.contains("nobody knows") ? Kind.OUTCOME_UNKNOWN : Kind.MISMATCH);
        case UNAVAILABLE ->
            of(
                text.contains("keys cannot be checked")
                    ? Kind.STORE_UNAVAILABLE
                    : text.contains("the ledger") ? Kind.LEDGER_UNAVAILABLE : Kind.NO_ANSWER);
        case DEADLINE_EXCEEDED, CANCELLED -> of(Kind.NO_ANSWER);
        case UNKNOWN ->
            // No answer of the server's: the channel says so of a connection that has just ended.
            e.getStatus().getCause() instanceof ClosedChannelException
                ? of(Kind.NO_ANSWER)
                : text.contains("transfer") ? of(Kind.IN_DOUBT) : failed(e.getStatus().toString());
        default -> failed(e.getStatus().toString());
      };
    }
  }
}
