package dev.idempotency.client;

import java.util.Optional;

/** Looks through a failure's causes. */
final class Causes {

  /** Causes may form a ring, which {@link Throwable#initCause} does not prevent. */
  private static final int MAX_DEPTH = 100;

  private Causes() {}

  static <T extends Throwable> Optional<T> find(Class<T> type, Throwable failure) {
    Throwable each = failure;
    for (int depth = 0; each != null && depth < MAX_DEPTH; depth++) {
      if (type.isInstance(each)) {
        return Optional.of(type.cast(each));
      }
      each = each.getCause();
    }
    return Optional.empty();
  }
}
