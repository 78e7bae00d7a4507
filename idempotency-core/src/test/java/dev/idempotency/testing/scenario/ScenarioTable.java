package dev.idempotency.testing.scenario;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The table of scenarios in the documentation.
 *
 * @param rows its cells, the first row with the names of the columns
 */
record ScenarioTable(List<List<String>> rows) {

  private static final String FIRST_CELL = "scenario";

  /** Reads it from the repository that the tests run in. */
  static ScenarioTable read() throws IOException {
    List<List<String>> rows =
        Files.readAllLines(Path.of("..", "docs", "http.md")).stream()
            .dropWhile(line -> !line.startsWith("| " + FIRST_CELL + " |"))
            .takeWhile(line -> line.startsWith("|"))
            .filter(line -> !line.startsWith("|---"))
            .map(line -> Arrays.stream(line.substring(1).split("\\|")).map(String::strip).toList())
            .toList();
    return new ScenarioTable(rows);
  }

  /** The cells of a column, by scenario, in the order of the rows. */
  Map<String, String> column(String name) {
    int index = rows.isEmpty() ? -1 : rows.get(0).indexOf(name);
    if (index < 0) {
      throw new AssertionError("docs/http.md has no table of scenarios with a column " + name);
    }
    Map<String, String> cells = new LinkedHashMap<>();
    for (List<String> row : rows.subList(1, rows.size())) {
      cells.put(row.get(0), row.get(index));
    }
    return cells;
  }
}
