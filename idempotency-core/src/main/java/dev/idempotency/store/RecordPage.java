package dev.idempotency.store;

import java.util.List;
import java.util.Optional;

/**
 * A part of a {@linkplain RecordDirectory#list listing}. Immutable.
 *
 * @param records in no order; may be empty although there are more
 * @param next where to go on; empty after the last part
 */
public record RecordPage(List<RecordSummary> records, Optional<String> next) {

  /** Copies the list. */
  public RecordPage {
    records = List.copyOf(records);
  }
}
