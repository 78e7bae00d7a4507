package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The table "When things fail" of docs/semantics.md and the tests that it names. */
class FailureTableTest {

  private static final Path ROOT = Path.of("..");
  private static final Map<String, Path> SOURCES = sources();
  private static final Pattern ROW = Pattern.compile("(?m)^\\|(.+)\\|(.+)\\|(.+)\\|$");
  private static final Pattern NAME = Pattern.compile("`(\\w+)\\.(\\w+)`");
  private static final Pattern TEST =
      Pattern.compile("@(?:Parameterized)?Test\\s+(?:@\\w+(?:\\([^)]*\\))?\\s+)*void (\\w+)\\(");

  @Test
  void everyRowNamesATestAndEveryNamedTestExists() throws IOException {
    List<MatchResult> rows = rows();

    assertThat(rows).hasSizeGreaterThanOrEqualTo(12);
    for (MatchResult row : rows) {
      List<MatchResult> names = NAME.matcher(row.group(3)).results().toList();
      assertThat(names).as("tests of the row '%s'", row.group(1).strip()).isNotEmpty();
      for (MatchResult name : names) {
        assertThat(testsOf(name.group(1))).as(name.group()).contains(name.group(2));
      }
    }
  }

  @Test
  void everyTestOfTheTablesClassesIsNamedInARow() throws IOException {
    String cells = String.join("\n", rows().stream().map(row -> row.group(3)).toList());

    for (String type : List.of("StoreFailureTableTest", "RedisFailureTableTest")) {
      assertThat(testsOf(type)).isNotEmpty();
      assertThat(testsOf(type))
          .allSatisfy(test -> assertThat(cells).contains("`" + type + "." + test + "`"));
    }
  }

  private static List<MatchResult> rows() throws IOException {
    String page = Files.readString(ROOT.resolve("docs/semantics.md"));
    String section = page.split("\n## When things fail\n", 2)[1].split("\n## ", 2)[0];
    // The first two lines are the heads of the columns.
    return ROW.matcher(section).results().skip(2).toList();
  }

  private static List<String> testsOf(String type) throws IOException {
    return TEST.matcher(Files.readString(source(type))).results().map(r -> r.group(1)).toList();
  }

  private static Path source(String type) {
    Path source = SOURCES.get(type + ".java");
    if (source == null) {
      throw new AssertionError("there is no test class " + type);
    }
    return source;
  }

  private static Map<String, Path> sources() {
    Map<String, Path> sources = new HashMap<>();
    try (Stream<Path> modules = Files.walk(ROOT, 2)) {
      for (Path tests :
          modules.map(each -> each.resolve("src/test/java")).filter(Files::isDirectory).toList()) {
        try (Stream<Path> files = Files.walk(tests)) {
          files.forEach(file -> sources.put(file.getFileName().toString(), file));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return sources;
  }
}
