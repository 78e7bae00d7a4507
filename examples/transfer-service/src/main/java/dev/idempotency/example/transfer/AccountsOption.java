package dev.idempotency.example.transfer;

import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Opening balances as {@code alice=100000,bob=0}, in minor units. */
final class AccountsOption implements ITypeConverter<AccountsOption.Balances> {

  private static final Pattern ACCOUNT = Pattern.compile("([^=]*)=(\\d{1,18})");
  private static final Pattern COMMA = Pattern.compile(",");

  /** Opening balances by account id. */
  record Balances(Map<String, Long> byId) {}

  @Override
  public Balances convert(String text) {
    Map<String, Long> balances = new TreeMap<>();
    for (String account : COMMA.split(text, -1)) {
      add(account, balances);
    }
    return new Balances(Map.copyOf(balances));
  }

  private static void add(String account, Map<String, Long> balances) {
    Matcher matcher = ACCOUNT.matcher(account);
    if (!matcher.matches()) {
      throw new TypeConversionException(
          "'"
              + account
              + "' is no account with a balance of up to 18 digits; write for example"
              + " alice=100000,bob=0");
    }
    try {
      Account.requireId("account", matcher.group(1));
    } catch (TransferException e) {
      throw new TypeConversionException(e.text());
    }
    if (balances.putIfAbsent(matcher.group(1), Long.valueOf(matcher.group(2))) != null) {
      throw new TypeConversionException("account " + matcher.group(1) + " stands there twice");
    }
  }
}
