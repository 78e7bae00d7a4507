package dev.idempotency.example.transfer;

import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import dev.idempotency.example.transfer.v1.CreateTransferRequest;
import dev.idempotency.example.transfer.v1.GetAccountRequest;
import dev.idempotency.example.transfer.v1.ListTransfersRequest;
import dev.idempotency.example.transfer.v1.ListTransfersResponse;
import dev.idempotency.example.transfer.v1.TransferServiceGrpc;
import dev.idempotency.grpc.IdempotencyInterceptor;
import dev.idempotency.grpc.RecordedAnswers;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.util.function.Supplier;

/** The gRPC interface: {@code transfer.v1.TransferService}. Thread-safe. */
final class TransferGrpc extends TransferServiceGrpc.TransferServiceImplBase {

  private final Transfers transfers;
  private final Ledger ledger;

  TransferGrpc(Transfers transfers, Ledger ledger) {
    this.transfers = transfers;
    this.ledger = ledger;
  }

  @Override
  public void createTransfer(
      CreateTransferRequest request,
      StreamObserver<dev.idempotency.example.transfer.v1.Transfer> observer) {
    answer(
        observer,
        () -> {
          requireKnownFields(request);
          return message(
              transfers.create(
                  new TransferOrder(
                      request.getFromAccount(),
                      request.getToAccount(),
                      request.getAmount(),
                      request.getCurrency()),
                  IdempotencyInterceptor.currentExecution(),
                  transfer ->
                      RecordedAnswers.ok(
                          TransferServiceGrpc.getCreateTransferMethod(), message(transfer))));
        });
  }

  @Override
  public void getAccount(
      GetAccountRequest request,
      StreamObserver<dev.idempotency.example.transfer.v1.Account> observer) {
    answer(
        observer,
        () -> {
          requireKnownFields(request);
          Account account = ledger.account(Account.requireId("id", request.getId()));
          return dev.idempotency.example.transfer.v1.Account.newBuilder()
              .setId(account.id())
              .setBalance(account.balance())
              .setCurrency(account.currency())
              .build();
        });
  }

  @Override
  public void listTransfers(
      ListTransfersRequest request, StreamObserver<ListTransfersResponse> observer) {
    answer(
        observer,
        () -> {
          requireKnownFields(request);
          ListTransfersResponse.Builder response = ListTransfersResponse.newBuilder();
          ledger
              .transfersOf(Account.requireId("account", request.getAccount()))
              .forEach(transfer -> response.addTransfers(message(transfer)));
          return response.build();
        });
  }

  /**
   * A field that this version does not know may change what the caller means: better not to pay.
   */
  private static void requireKnownFields(Message request) {
    if (!request.getUnknownFields().asMap().isEmpty()) {
      throw TransferException.invalid(
          "the request has fields with unknown numbers "
              + request.getUnknownFields().asMap().keySet());
    }
  }

  private static <T> void answer(StreamObserver<T> observer, Supplier<T> handler) {
    T response;
    try {
      response = handler.get();
    } catch (TransferException e) {
      observer.onError(status(e).withDescription(e.text()).asRuntimeException());
      return;
    }
    observer.onNext(response);
    observer.onCompleted();
  }

  private static Status status(TransferException failure) {
    return switch (failure.reason()) {
      case INVALID, TOO_LARGE, UNSUPPORTED_TYPE -> Status.INVALID_ARGUMENT;
      case NOT_FOUND -> Status.NOT_FOUND;
      case INSUFFICIENT_FUNDS, BALANCE_LIMIT -> Status.FAILED_PRECONDITION;
      case UNAVAILABLE -> Status.UNAVAILABLE;
      case IN_DOUBT -> Status.UNKNOWN;
    };
  }

  private static dev.idempotency.example.transfer.v1.Transfer message(Transfer transfer) {
    return dev.idempotency.example.transfer.v1.Transfer.newBuilder()
        .setId(transfer.id().toString())
        .setFromAccount(transfer.order().from())
        .setToAccount(transfer.order().to())
        .setAmount(transfer.order().amount())
        .setCurrency(transfer.order().currency())
        .setCreatedAt(
            Timestamp.newBuilder()
                .setSeconds(transfer.createdAt().getEpochSecond())
                .setNanos(transfer.createdAt().getNano()))
        .build();
  }
}
