package dev.idempotency.example.transfer;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Set;

/** {@code /v1/accounts/{id}}. */
final class AccountsServlet extends ApiServlet {

  private static final long serialVersionUID = 1L;

  private final transient Ledger ledger;

  AccountsServlet(JsonFormat json, Ledger ledger) {
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
    String id = Account.requireId("id", resourceId(request).orElse(""));
    answer(response, HttpServletResponse.SC_OK, json().write(ledger.account(id)));
  }
}
