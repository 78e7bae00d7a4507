package dev.idempotency.example.transfer;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Set;

/**
 * {@code /healthz}: does the ledger answer? Redis is not asked: without it reads go on, and each
 * transfer is refused by itself.
 */
final class HealthServlet extends ApiServlet {

  private static final long serialVersionUID = 1L;

  private final transient Ledger ledger;

  HealthServlet(JsonFormat json, Ledger ledger) {
    super(json);
    this.ledger = ledger;
  }

  @Override
  Set<String> allowed(HttpServletRequest request) {
    return Set.of("GET", "HEAD");
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (!ledger.isReachable()) {
      throw new TransferException(
          TransferException.Reason.UNAVAILABLE, "the ledger cannot be reached");
    }
    answer(response, HttpServletResponse.SC_OK, json().writeStatus("ok"));
  }
}
