package dev.idempotency.testing.scenario;

/**
 * Something that happens to calls, and what must come of it.
 *
 * @param name a sentence; the tables in the documentation have a row of it
 */
public record Scenario(String name, Play play) {

  /** Throws what the transport did wrong. */
  @FunctionalInterface
  public interface Play {
    void on(Stage stage) throws Exception;
  }

  @Override
  public String toString() {
    return name;
  }
}
