package dev.idempotency.example.transfer;

import dev.idempotency.example.transfer.TransferException.Reason;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RecordedResponse;
import dev.idempotency.store.Outcome;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** {@code /v1/transfers} and {@code /v1/transfers/{id}}. */
final class TransfersServlet extends ApiServlet {

  static final String PATH = "/v1/transfers";

  private static final long serialVersionUID = 1L;
  private static final int MAX_BODY = 16 * 1024;

  private final transient Transfers transfers;
  private final transient Ledger ledger;

  TransfersServlet(JsonFormat json, Transfers transfers, Ledger ledger) {
    super(json);
    this.transfers = transfers;
    this.ledger = ledger;
  }

  @Override
  Set<String> allowed(HttpServletRequest request) {
    return resourceId(request).isPresent() ? Set.of("GET", "HEAD") : Set.of("GET", "HEAD", "POST");
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    requireJson(request);
    Transfer transfer =
        transfers.create(
            json().readOrder(body(request)),
            IdempotencyFilter.execution(request),
            this::recordedAnswer);
    response.setHeader("Location", location(transfer));
    answer(response, HttpServletResponse.SC_CREATED, json().write(transfer));
  }

  /** The answer of {@link #doPost}, as the filter stores it. */
  private Outcome recordedAnswer(Transfer transfer) {
    return RecordedResponse.of(HttpServletResponse.SC_CREATED)
        .header("Content-Type", JSON)
        .header("Location", location(transfer))
        .body(json().write(transfer))
        .toOutcome();
  }

  private static String location(Transfer transfer) {
    return PATH + "/" + transfer.id();
  }

  private static void requireJson(HttpServletRequest request) {
    String type = Optional.ofNullable(request.getContentType()).orElse("");
    String normal = type.replace(" ", "").replace("\"", "").toLowerCase(Locale.ROOT);
    if (!normal.equals("application/json") && !normal.equals("application/json;charset=utf-8")) {
      throw new TransferException(
          Reason.UNSUPPORTED_TYPE, "the content type must be application/json, in UTF-8");
    }
  }

  private static byte[] body(HttpServletRequest request) throws IOException {
    byte[] body = request.getInputStream().readNBytes(MAX_BODY + 1);
    if (body.length > MAX_BODY) {
      throw new TransferException(
          Reason.TOO_LARGE, "a transfer has at most " + MAX_BODY + " bytes");
    }
    return body;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    Optional<String> id = resourceId(request);
    answer(
        response,
        HttpServletResponse.SC_OK,
        id.isPresent()
            ? json().write(find(id.get()))
            : json().write(ledger.transfersOf(account(request))));
  }

  private Transfer find(String id) {
    return uuid(id)
        .flatMap(ledger::find)
        .orElseThrow(() -> new TransferException(Reason.NOT_FOUND, "there is no such transfer"));
  }

  private static Optional<UUID> uuid(String text) {
    try {
      return Optional.of(UUID.fromString(text));
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static String account(HttpServletRequest request) {
    String account = Optional.ofNullable(request.getParameter("account")).orElse("");
    return Account.requireId("account", account);
  }
}
