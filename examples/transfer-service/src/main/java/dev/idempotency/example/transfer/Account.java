package dev.idempotency.example.transfer;

import java.util.regex.Pattern;

/**
 * An account as it stands.
 *
 * @param id names it
 * @param balance in minor units of the currency, never below zero
 * @param currency ISO 4217 code
 */
record Account(String id, long balance, String currency) {

  private static final Pattern ID = Pattern.compile("[A-Za-z0-9._-]{1,64}");

  /**
   * Gives back a well-formed account id.
   *
   * @throws TransferException with {@link TransferException.Reason#INVALID}
   */
  static String requireId(String field, String id) {
    if (!ID.matcher(id).matches()) {
      throw TransferException.invalid(
          "'" + field + "' must have 1 to 64 letters, digits, '.', '_' or '-'");
    }
    return id;
  }
}
