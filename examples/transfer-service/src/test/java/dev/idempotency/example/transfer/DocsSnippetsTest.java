package dev.idempotency.example.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Every Java and proto snippet of the README and the docs stands, line by line, in compiled code.
 */
class DocsSnippetsTest {

  private static final Path ROOT = Path.of("..", "..");
  private static final Pattern SNIPPET =
      Pattern.compile("```(java|proto)\\n(.*?)```", Pattern.DOTALL);
  private static final Pattern TEST_NAME = Pattern.compile("`([A-Z][a-z]\\w*(?:Test|IT))`");

  @Test
  void theEngineIsMadeInTwoLines() {
    RedisIdempotencyStore store =
        RedisIdempotencyStore.builder().namespace("payments").uri("redis://127.0.0.1:6379").build();
    IdempotencyEngine engine = IdempotencyEngine.create(store, IdempotencyConfig.defaults());

    assertThat(engine.pendingWrites()).isZero();
    engine.close();
    store.close();
  }

  @Test
  void everySnippetIsCompiled() throws IOException {
    String compiled = compiledSources();
    List<String> snippets = new ArrayList<>();
    for (Path page : pages()) {
      SNIPPET
          .matcher(Files.readString(page))
          .results()
          .forEach(result -> snippets.add(result.group(2)));
    }

    assertThat(snippets).hasSizeGreaterThanOrEqualTo(5);
    assertThat(snippets).allSatisfy(snippet -> assertThat(compiled).contains(flat(snippet)));
  }

  /** A page that says what holds it must not name what was renamed since. */
  @Test
  void everyTestThatAPageNamesExists() throws IOException {
    Set<String> named = new TreeSet<>();
    for (Path page : pages()) {
      TEST_NAME
          .matcher(Files.readString(page))
          .results()
          .forEach(result -> named.add(result.group(1) + ".java"));
    }
    Set<String> existing;
    try (Stream<Path> files = Files.walk(ROOT)) {
      existing =
          files
              .filter(file -> file.toString().matches(".*/src/test/.*\\.java"))
              .map(file -> file.getFileName().toString())
              .collect(Collectors.toSet());
    }

    assertThat(named).hasSizeGreaterThan(20).isSubsetOf(existing);
  }

  private static List<Path> pages() throws IOException {
    try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
      return Stream.concat(Stream.of(ROOT.resolve("README.md")), docs)
          .filter(page -> page.toString().endsWith(".md"))
          .toList();
    }
  }

  private static String compiledSources() throws IOException {
    try (Stream<Path> files = Files.walk(ROOT)) {
      return files
          .filter(file -> file.toString().matches(".*/src/(main|test)/.*\\.(java|proto)"))
          .map(DocsSnippetsTest::read)
          .map(DocsSnippetsTest::flat)
          .collect(Collectors.joining("\n"));
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Without indentation: a snippet stands deeper in a method than on a page. */
  private static String flat(String text) {
    return text.lines().map(String::strip).collect(Collectors.joining("\n")).strip();
  }
}
