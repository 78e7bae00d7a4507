package dev.idempotency.example.transfer;

import java.util.regex.Pattern;

/**
 * What a caller asks for, valid as far as one can say without the ledger.
 *
 * @param from the account that is debited
 * @param to the account that is credited, another one
 * @param amount in minor units of the currency, above zero
 * @param currency ISO 4217 code
 */
record TransferOrder(String from, String to, long amount, String currency) {

  private static final Pattern CURRENCY = Pattern.compile("[A-Z]{3}");

  TransferOrder {
    Account.requireId("from", from);
    Account.requireId("to", to);
    if (from.equals(to)) {
      throw TransferException.invalid("'from' and 'to' must be different accounts");
    }
    if (amount < 1) {
      throw TransferException.invalid("'amount' must be above zero, but is " + amount);
    }
    if (!CURRENCY.matcher(currency).matches()) {
      throw TransferException.invalid("'currency' must be an ISO 4217 code such as EUR");
    }
  }
}
