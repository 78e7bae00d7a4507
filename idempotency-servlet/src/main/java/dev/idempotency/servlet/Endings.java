package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How an execution ends, by the status or the exception of its handler. Immutable.
 *
 * <p>The defaults follow RFC 9110 section 15. Redirections are results (a form that was accepted
 * often answers with one), but for those that by their meaning ask for the same request again: 307
 * and 308 (sections 15.4.8 and 15.4.9), and 304, which says that a precondition was false (section
 * 15.4.5), as 412 does.
 */
final class Endings {

  static final Endings DEFAULT = new Endings(Map.of(), Set.of(), false);

  private static final Set<Integer> NOT_EXECUTED =
      Set.of(
          304, 307, 308, 400, 401, 403, 405, 406, 407, 408, 411, 412, 413, 414, 415, 417, 421, 425,
          426, 428, 429, 431, 503);

  private static final Pattern LOGIN =
      Pattern.compile(
          "(?i)^(?:[^?#]*/)?(log-?in|sign-?in|sso|saml2?|cas|oauth2?|auth|authorize|authenticate)"
              + "([/.;?#].*)?$");

  private final Map<Integer, Ending> statuses;
  private final Set<String> notExecuted;

  private final boolean keepNoStore;

  private Endings(Map<Integer, Ending> statuses, Set<String> notExecuted, boolean keepNoStore) {
    this.keepNoStore = keepNoStore;
    this.statuses = Map.copyOf(statuses);
    this.notExecuted = Set.copyOf(notExecuted);
  }

  /**
   * With other endings for some statuses.
   *
   * @throws IllegalArgumentException for no status, or one that already has another ending
   */
  Endings with(Ending ending, int... more) {
    Map<Integer, Ending> all = new HashMap<>(statuses);
    for (int status : more) {
      if (status < 200 || status > 999) {
        throw new IllegalArgumentException("a status must be 200 to 999, but is " + status);
      }
      Ending before = all.put(status, ending);
      if (before != null && before != ending) {
        throw new IllegalArgumentException(
            "status " + status + " can have one ending only; it is named for two");
      }
    }
    return new Endings(all, notExecuted, keepNoStore);
  }

  /** With exceptions, by the names of their classes, that mean that nothing was executed. */
  Endings notExecuted(Set<String> more) {
    Set<String> all = new LinkedHashSet<>(notExecuted);
    all.addAll(more);
    return new Endings(statuses, all, keepNoStore);
  }

  /** With another decision on responses that say {@code no-store}. */
  Endings keepNoStore(boolean keep) {
    return new Endings(statuses, notExecuted, keep);
  }

  /**
   * Whether no more than the status of a recorded response may be kept: RFC 9111 section 5.2.2.5
   * asks this of caches, and a token that may be seen once is marked so.
   */
  boolean keepsStatusOnly(RecordedResponse response) {
    return !keepNoStore && response.isNoStore();
  }

  /**
   * By the status.
   *
   * @param async whether the handler left its thread: then 503 is what frameworks answer for work
   *     that takes too long, and that may still come to its end (Jakarta REST 4.0 section 8.2.2)
   */
  Ending of(int status, boolean async) {
    @Nullable Ending chosen = statuses.get(status);
    if (chosen != null) {
      return chosen;
    }
    if (async && status == 503) {
      return Ending.IN_DOUBT;
    }
    if (NOT_EXECUTED.contains(status)) {
      return Ending.RELEASED;
    }
    // Also above 599, RFC 9110 section 15: to be taken for a 5xx.
    return status >= 500 ? Ending.IN_DOUBT : Ending.RECORDED;
  }

  /** Whether the application has said how this status ends. */
  boolean isChosen(int status) {
    return statuses.containsKey(status);
  }

  /** Whether an answer sends the client to a page where it has to say who it is. */
  static boolean isToLogin(int status, @Nullable String location) {
    return (status == 302 || status == 303) && location != null && LOGIN.matcher(location).find();
  }

  /**
   * Whether it is released by what the handler has thrown. Only a {@link ServletException} is
   * looked into: frameworks wrap in it what leaves a handler, whereas a cause further down may come
   * from something that failed after the effect.
   */
  boolean isNotExecuted(Throwable thrown) {
    if (notExecuted.isEmpty()) {
      return false;
    }
    for (Class<?> type = thrown.getClass(); type != null; type = type.getSuperclass()) {
      if (notExecuted.contains(type.getName())) {
        return true;
      }
    }
    @Nullable Throwable cause = thrown.getCause();
    return thrown instanceof ServletException && cause != null && isNotExecuted(cause);
  }
}
