package dev.idempotency.example.transfer;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line: reads the flags, serves until SIGTERM. */
@Command(
    name = "transfer-service",
    description = {
      "Moves money between the accounts of one ledger, over HTTP and gRPC, once for each key.",
      "Prints one line on standard output when it serves:",
      "  ready http=<port> grpc=<port> redis=<address>",
      "Logs go to standard error. On SIGTERM it stops accepting, finishes what runs, stores the"
          + " outcomes and exits with 0.",
      ""
    },
    sortOptions = false,
    usageHelpAutoWidth = true,
    optionListHeading = "Flags:%n",
    footer = {
      "",
      "Durations: 500ms, 10s, 5m, 24h. Amounts are in minor units, the currency is EUR.",
      "Exit codes: 0 stopped on request, 1 could not start or stop cleanly, 2 wrong flags."
    })
@SuppressWarnings("NullAway.Init") // picocli sets the fields before it calls.
public final class Main implements Callable<Integer> {

  @Spec private CommandSpec spec;

  @Option(
      names = "--http-port",
      paramLabel = "<port>",
      defaultValue = "8080",
      description = "HTTP port, 0 for any free one (default: ${DEFAULT-VALUE}).")
  private int httpPort;

  @Option(
      names = "--grpc-port",
      paramLabel = "<port>",
      defaultValue = "9090",
      description = "gRPC port, 0 for any free one (default: ${DEFAULT-VALUE}).")
  private int grpcPort;

  @Option(
      names = "--host",
      paramLabel = "<address>",
      defaultValue = "127.0.0.1",
      description = "Address to listen on (default: ${DEFAULT-VALUE}).")
  private String host;

  @Option(
      names = "--redis",
      paramLabel = "<where>",
      defaultValue = "embedded",
      description = {
        "Where keys and outcomes are kept (default: ${DEFAULT-VALUE}):",
        "  embedded: a Redis of its own, gone when it stops",
        "  memory: in this process, gone when it stops",
        "  redis://[[user:]password@]host:port[/db]",
        "  redis-cluster://host:port,host:port"
      })
  private String redis;

  @Option(
      names = "--redis-timeout",
      paramLabel = "<duration>",
      defaultValue = "500ms",
      converter = DurationOption.class,
      description =
          "How long to wait for Redis, for each of at most two attempts; then transfers are"
              + " refused with 503 or UNAVAILABLE (default: ${DEFAULT-VALUE}).")
  private Duration redisTimeout;

  @Option(
      names = "--ledger",
      paramLabel = "<jdbc-url>",
      defaultValue = "jdbc:h2:mem:ledger;DB_CLOSE_DELAY=-1",
      description = {
        "The ledger's H2 database (default: ${DEFAULT-VALUE}, gone when it stops).",
        "Kept, and shared by several processes: jdbc:h2:/path/ledger;AUTO_SERVER=TRUE"
      })
  private String ledger;

  @Option(
      names = "--accounts",
      paramLabel = "<id=balance,...>",
      defaultValue = "alice=100000,bob=0",
      converter = AccountsOption.class,
      description = "Accounts to open, if they are not there yet (default: ${DEFAULT-VALUE}).")
  private AccountsOption.Balances accounts;

  @Option(
      names = "--transfer-delay",
      paramLabel = "<duration>",
      defaultValue = "0ms",
      converter = DurationOption.class,
      description =
          "How long each transfer takes at least, to see duplicates in flight"
              + " (default: ${DEFAULT-VALUE}).")
  private Duration transferDelay;

  @Option(
      names = "--lease",
      paramLabel = "<duration>",
      defaultValue = "30s",
      converter = DurationOption.class,
      description =
          "How long a key stays claimed after its process died (default: ${DEFAULT-VALUE}).")
  private Duration lease;

  @Option(
      names = "--ttl",
      paramLabel = "<duration>",
      defaultValue = "24h",
      converter = DurationOption.class,
      description = "How long outcomes are kept for retries (default: ${DEFAULT-VALUE}).")
  private Duration ttl;

  @Option(
      names = "--ledger-guard",
      paramLabel = "true|false",
      arity = "1",
      defaultValue = "true",
      description = {
        "Whether each transfer records its key and its answer in the ledger, in its own"
            + " transaction (default: ${DEFAULT-VALUE}). Without it, the key of a transfer whose"
            + " process died is held as unknown."
      })
  private boolean ledgerGuard;

  // For the tests that kill or freeze the process at a step, see PauseAt.
  @Option(names = "--pause-at", hidden = true, defaultValue = "nowhere")
  private PauseAt.Step pauseAt;

  @SuppressWarnings("UnusedVariable") // picocli acts on it.
  @Option(names = "--help", usageHelp = true, description = "Show this.")
  private boolean help;

  private Main() {}

  /** Runs the service. */
  public static void main(String[] arguments) {
    int exitCode =
        new CommandLine(new Main())
            .setExecutionExceptionHandler(
                (failure, command, parsed) -> {
                  System.err.println("transfer-service cannot start: " + failure);
                  return CommandLine.ExitCode.SOFTWARE;
                })
            .execute(arguments);
    System.exit(exitCode);
  }

  @Override
  public Integer call() throws Exception {
    Application application = Application.start(settings());
    Runtime.getRuntime()
        .addShutdownHook(
            // A JVM that ends on SIGTERM would exit with 143, whatever its hooks do.
            new Thread(() -> Runtime.getRuntime().halt(application.stop() ? 0 : 1), "shutdown"));
    System.out.println(application.readyLine());
    System.out.flush();
    new CountDownLatch(1).await();
    return CommandLine.ExitCode.OK;
  }

  private Settings settings() {
    requirePort("--http-port", httpPort);
    requirePort("--grpc-port", grpcPort);
    if (!ledger.startsWith("jdbc:")) {
      throw wrong("--ledger must be a JDBC URL, but is '" + ledger + "'");
    }
    try {
      KeyStore.requireValid(redis, redisTimeout);
      return new Settings(
          host,
          httpPort,
          grpcPort,
          redis,
          redisTimeout,
          ledger,
          accounts.byId(),
          transferDelay,
          lease,
          ttl,
          ledgerGuard,
          new PauseAt(pauseAt));
    } catch (IllegalArgumentException e) {
      throw wrong(e.getMessage());
    }
  }

  private void requirePort(String flag, int port) {
    if (port < 0 || port > 65535) {
      throw wrong(flag + " must be 0 to 65535, but is " + port);
    }
  }

  private ParameterException wrong(@org.jspecify.annotations.Nullable String message) {
    return new ParameterException(spec.commandLine(), String.valueOf(message));
  }
}
