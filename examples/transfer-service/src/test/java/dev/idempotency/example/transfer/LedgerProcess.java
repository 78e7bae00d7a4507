package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** H2 as a database server of its own, which outlives the services that use it. */
final class LedgerProcess implements AutoCloseable {

  private static final Pattern RUNNING = Pattern.compile(".*tcp://[^ ]*:(\\d+) .*");

  private final Process process;
  private final String port;

  private LedgerProcess(Process process, String port) {
    this.process = process;
    this.port = port;
  }

  static LedgerProcess start() throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xmx512m",
                "-Dh2.bindAddress=127.0.0.1",
                "-cp",
                System.getProperty("transfer-service.jar"),
                "org.h2.tools.Server",
                "-tcp",
                "-tcpPort",
                "0",
                "-ifNotExists")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    String line =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8)).readLine();
    Matcher running = RUNNING.matcher(String.valueOf(line));
    if (!running.matches()) {
      process.destroyForcibly();
      throw new IOException("the database does not start, it said: " + line);
    }
    return new LedgerProcess(process, running.group(1));
  }

  /** The JDBC URL of a new, empty database, which lives as long as the process. */
  String newDatabase() {
    return "jdbc:h2:tcp://127.0.0.1:"
        + port
        + "/mem:"
        + UUID.randomUUID()
        + ";DB_CLOSE_DELAY=-1;LOCK_TIMEOUT=500";
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
