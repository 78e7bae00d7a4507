package dev.idempotency.tool;

import dev.idempotency.IdempotencyAdmin;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.OutcomeResolver.Resolution;
import dev.idempotency.store.KeySecrets;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The operator's command line: lists, shows, resolves and forgets records in Redis.
 *
 * <pre>
 * java -cp APPLICATION.jar dev.idempotency.tool.KeysCommand [options] COMMAND
 *   list [abandoned] [in_flight] ...   records in these states; default both
 *   show DIGEST                        one record, without its outcome
 *   resolve DIGEST executed            retries are answered that it ran, without its result
 *   resolve DIGEST not-executed        the next retry runs
 *   forget DIGEST                      the next request runs as if it were the first
 *   list-scope SCOPE                   records of one caller
 *   forget-scope SCOPE                 erases the outcomes of one caller
 * options
 *   --redis URI           default: the environment variable IDEMPOTENCY_REDIS
 *   --namespace NAME      of the application; required
 *   --key-prefix PREFIX   default idem:
 *   --limit N             records that list prints at most; default 100
 *   --secret-file FILE    the application's secret, its bytes as they are; where it has one, for
 *                         resolve, list-scope and forget-scope
 * </pre>
 *
 * <p>A digest is 64 hexadecimal digits, or its first 16 as logs show them; those are looked for
 * among all records. Exits with 0 if it was done, 1 if there was nothing to do, 2 if it could not
 * be done.
 */
public final class KeysCommand {

  private static final String REDIS_VARIABLE = "IDEMPOTENCY_REDIS";
  private static final int DONE = 0;
  private static final int NOTHING = 1;
  private static final int FAILED = 2;
  private static final int DIGEST_LENGTH = 64;
  private static final int PAGE = 500;

  private final IdempotencyAdmin admin;
  private final int limit;
  private final PrintStream out;

  private KeysCommand(IdempotencyAdmin admin, int limit, PrintStream out) {
    this.admin = admin;
    this.limit = limit;
    this.out = out;
  }

  /** Runs one command and exits. */
  public static void main(String[] arguments) {
    System.exit(run(List.of(arguments), System.getenv(), System.out, System.err));
  }

  /**
   * Runs one command.
   *
   * @param arguments as on the command line
   * @param environment variables
   * @return the exit status
   */
  static int run(
      List<String> arguments, Map<String, String> environment, PrintStream out, PrintStream err) {
    try {
      CommandLine line = CommandLine.parse(arguments);
      String redis = line.option("--redis").orElse(environment.getOrDefault(REDIS_VARIABLE, ""));
      if (redis.isEmpty()) {
        throw new IllegalArgumentException("say where Redis is: --redis or " + REDIS_VARIABLE);
      }
      int limit = number(line.option("--limit").orElse("100"));
      try (RedisIdempotencyStore store =
              RedisIdempotencyStore.builder()
                  .uri(redis)
                  .namespace(
                      line.option("--namespace")
                          .orElseThrow(
                              () -> new IllegalArgumentException("--namespace is required")))
                  .keyPrefix(line.option("--key-prefix").orElse("idem:"))
                  .secrets(secrets(line.option("--secret-file")))
                  .timeout(Duration.ofSeconds(5))
                  .allowEviction()
                  .build();
          IdempotencyEngine engine =
              IdempotencyEngine.create(store, IdempotencyConfig.defaults())) {
        return new KeysCommand(engine.admin(), limit, out).run(line.words());
      }
    } catch (IllegalArgumentException
        | IllegalStateException
        | UnsupportedOperationException
        | StoreException e) {
      err.println(e.getMessage());
      return FAILED;
    }
  }

  private static KeySecrets secrets(Optional<String> file) {
    if (file.isEmpty()) {
      return KeySecrets.none();
    }
    try {
      byte[] secret = Files.readAllBytes(Path.of(file.get()));
      // Nothing is executed here, so no key for another service is made.
      return KeySecrets.of(secret, secret);
    } catch (IOException e) {
      throw new IllegalArgumentException("cannot read --secret-file " + file.get(), e);
    }
  }

  private static int number(String text) {
    if (!text.matches("[1-9][0-9]{0,5}")) {
      throw new IllegalArgumentException("--limit must be a number from 1 to 999999");
    }
    return Integer.parseInt(text);
  }

  private int run(List<String> words) {
    String command = words.isEmpty() ? "" : words.get(0);
    List<String> rest = words.isEmpty() ? words : words.subList(1, words.size());
    if (command.equals("list")) {
      return list(rest);
    }
    if (command.equals("show") && rest.size() == 1) {
      return show(rest.get(0));
    }
    if (command.equals("resolve") && rest.size() == 2) {
      return resolve(rest.get(0), rest.get(1));
    }
    if (command.equals("forget") && rest.size() == 1) {
      return forget(rest.get(0));
    }
    if (command.equals("list-scope") && rest.size() == 1) {
      return print(cursor -> admin.listOfScope(rest.get(0), cursor, PAGE));
    }
    if (command.equals("forget-scope") && rest.size() == 1) {
      IdempotencyAdmin.ErasedScope erased = admin.forgetScope(rest.get(0));
      out.println("erased " + erased.erased() + ", without an outcome yet " + erased.open());
      return erased.erased() + erased.open() > 0 ? DONE : NOTHING;
    }
    throw new IllegalArgumentException(
        "commands: list [STATE...] | show DIGEST | resolve DIGEST executed|not-executed | forget"
            + " DIGEST | list-scope SCOPE | forget-scope SCOPE");
  }

  private int list(List<String> names) {
    Set<RecordState> states = EnumSet.of(RecordState.ABANDONED, RecordState.IN_FLIGHT);
    if (!names.isEmpty()) {
      states.clear();
      names.forEach(name -> states.add(state(name)));
    }
    return print(cursor -> admin.list(states, cursor, PAGE));
  }

  private int print(Function<String, RecordPage> pages) {
    int printed = 0;
    Optional<String> cursor = Optional.of(RecordDirectory.START);
    while (cursor.isPresent()) {
      RecordPage page = pages.apply(cursor.get());
      for (RecordSummary each : page.records()) {
        if (printed == limit) {
          out.println("# there are more; raise --limit");
          return DONE;
        }
        out.println(line(each));
        printed++;
      }
      cursor = page.next();
    }
    return printed == 0 ? NOTHING : DONE;
  }

  private static RecordState state(String name) {
    for (RecordState each : RecordState.values()) {
      if (each.name().equalsIgnoreCase(name)) {
        return each;
      }
    }
    throw new IllegalArgumentException(
        "states: in_flight, abandoned, completed, released, unreadable");
  }

  private static String line(RecordSummary record) {
    StringBuilder line =
        new StringBuilder()
            .append(record.digest())
            .append(' ')
            .append(record.state())
            .append(" fence=")
            .append(record.fence())
            .append(" attempt=")
            .append(record.attempt());
    record.writtenAt().ifPresent(time -> line.append(" written=").append(time));
    record
        .leaseLeft()
        .ifPresent(
            left ->
                line.append(left.isNegative() ? " lease-over-for=" : " lease-left=")
                    .append(left.abs()));
    return line.append(" expires-in=").append(record.expiresIn()).toString();
  }

  private int show(String digest) {
    Optional<RecordSummary> found = find(digest);
    found.ifPresent(record -> out.println(line(record)));
    return found.isPresent() ? DONE : NOTHING;
  }

  private int resolve(String digest, String how) {
    Resolution resolution =
        switch (how) {
          case "executed" -> new Resolution.Completed(Outcome.tombstone("operator/1", new byte[0]));
          case "not-executed" -> new Resolution.NotExecuted();
          default -> throw new IllegalArgumentException("say 'executed' or 'not-executed'");
        };
    Optional<RecordSummary> found = find(digest);
    boolean done = found.isPresent() && admin.resolve(found.get().digest(), resolution);
    out.println(done ? "resolved as " + how : "not abandoned; nothing was done");
    return done ? DONE : NOTHING;
  }

  private int forget(String digest) {
    Optional<RecordSummary> found = find(digest);
    boolean done = found.isPresent() && admin.forget(found.get().digest());
    out.println(done ? "forgotten" : "there is no such record");
    return done ? DONE : NOTHING;
  }

  /** Looks for a whole digest, or among all records for the one that starts so. */
  private Optional<RecordSummary> find(String text) {
    if (text.length() == DIGEST_LENGTH) {
      return admin.find(text);
    }
    if (!text.matches("[0-9a-f]{16,63}")) {
      throw new IllegalArgumentException(
          "a digest has 64 lower-case hexadecimal digits; give all, or the first 16 or more");
    }
    Optional<String> cursor = Optional.of(RecordDirectory.START);
    while (cursor.isPresent()) {
      RecordPage page = admin.list(EnumSet.allOf(RecordState.class), cursor.get(), PAGE);
      for (RecordSummary each : page.records()) {
        if (each.digest().startsWith(text)) {
          return Optional.of(each);
        }
      }
      cursor = page.next();
    }
    return Optional.empty();
  }
}
