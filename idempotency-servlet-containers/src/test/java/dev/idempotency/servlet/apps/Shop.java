package dev.idempotency.servlet.apps;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** What the applications do: takes orders, and counts how often. Thread-safe. */
public final class Shop {

  private final Map<String, Integer> runs = new ConcurrentHashMap<>();

  /** There is no more of it; the customer's fault, and final. */
  public static final class SoldOutException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    SoldOutException(String item) {
      super(item + " is sold out");
    }
  }

  /** Something else than the order is wrong, and the application has a page for it. */
  public static final class PrinterException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    PrinterException() {
      super("the printer burns");
    }
  }

  /**
   * Answers an order.
   *
   * @param id has the number of the run, so that a second one can be seen
   */
  public record Receipt(String id, String item, int quantity) {}

  /**
   * Takes an order.
   *
   * @param item one that starts with {@code sold-out}, {@code printer} or {@code bug} fails, after
   *     it was counted
   */
  public Receipt place(String item, int quantity) {
    int run = runs.merge(item, 1, Integer::sum);
    if (item.startsWith("sold-out")) {
      throw new SoldOutException(item);
    }
    if (item.startsWith("printer")) {
      throw new PrinterException();
    }
    if (item.startsWith("bug")) {
      throw new IllegalStateException("made up");
    }
    return new Receipt("run-" + run, item, quantity);
  }

  /** How often it was ordered. */
  int runs(String item) {
    return runs.getOrDefault(item, 0);
  }
}
