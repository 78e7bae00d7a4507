package dev.idempotency.jdbc;

import java.sql.SQLException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What of the failures of a driver, a pool or a database may be logged. A message with an address
 * in it is not: it has the password, in any of a dozen forms (user-info, query, properties), with
 * any characters. No pattern finds where it ends, so such a message is not shown at all.
 */
final class JdbcErrors {

  private static final int MAX_SHOWN = 300;
  private static final int MAX_DEPTH = 50;
  private static final Pattern ADDRESS =
      Pattern.compile("jdbc|://|url|password|passwd|pwd|secret|user", Pattern.CASE_INSENSITIVE);

  private JdbcErrors() {}

  /** The failure without its causes, and without a message that may have an address in it. */
  static SQLException shown(Throwable failure) {
    @Nullable String state = failure instanceof SQLException sql ? sql.getSQLState() : null;
    int code = failure instanceof SQLException sql ? sql.getErrorCode() : 0;
    SQLException shown = new SQLException(message(failure, state, code), state, code);
    shown.setStackTrace(failure.getStackTrace());
    return shown;
  }

  private static String message(Throwable failure, @Nullable String state, int code) {
    StringBuilder text = new StringBuilder(failure.getClass().getSimpleName());
    if (state != null) {
      text.append(", SQLState ").append(state).append(", code ").append(code);
    }
    String own = failure.getMessage();
    if (own == null || isTainted(failure)) {
      return text.append(" (its message is not shown: it may have an address in it)").toString();
    }
    String clean = own.replaceAll("[\\p{Cntrl}\\u2028\\u2029\\p{Cf}]+", " ").strip();
    return text.append(": ")
        .append(clean.length() <= MAX_SHOWN ? clean : clean.substring(0, MAX_SHOWN) + "...")
        .toString();
  }

  private static boolean isTainted(Throwable failure) {
    int depth = 0;
    for (Throwable each = failure; each != null && depth < MAX_DEPTH; each = each.getCause()) {
      if (ADDRESS.matcher(String.valueOf(each.getMessage())).find()) {
        return true;
      }
      depth++;
    }
    return false;
  }
}
