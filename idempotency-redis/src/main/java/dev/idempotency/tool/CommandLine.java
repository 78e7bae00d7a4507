package dev.idempotency.tool;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The words and options of a command line. Immutable.
 *
 * @param words what is no option
 * @param options by name
 */
record CommandLine(List<String> words, Map<String, String> options) {

  private static final Set<String> KNOWN =
      Set.of("--redis", "--namespace", "--key-prefix", "--limit", "--secret-file");

  static CommandLine parse(List<String> arguments) {
    List<String> words = new ArrayList<>();
    Map<String, String> options = new HashMap<>();
    for (int i = 0; i < arguments.size(); i++) {
      String each = arguments.get(i);
      if (!each.startsWith("--")) {
        words.add(each);
      } else if (!KNOWN.contains(each) || i + 1 == arguments.size()) {
        throw new IllegalArgumentException(
            "options, each with a value: --redis, --namespace, --key-prefix, --limit,"
                + " --secret-file");
      } else {
        options.put(each, arguments.get(++i));
      }
    }
    return new CommandLine(List.copyOf(words), Map.copyOf(options));
  }

  Optional<String> option(String name) {
    return Optional.ofNullable(options.get(name));
  }
}
