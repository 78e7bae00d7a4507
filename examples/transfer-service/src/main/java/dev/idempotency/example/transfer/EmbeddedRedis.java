package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * A Redis server as a child process on the loopback interface, without persistence: for tries and
 * tests. It dies with this process, however that ends, because the shell between the two ends it
 * when the pipe from this process closes; the shell also removes the temporary folder.
 *
 * <p>Linux and macOS, on the processors for which {@code embedded-redis} brings a binary.
 */
final class EmbeddedRedis implements AutoCloseable {

  // A Ctrl-C goes to all processes of the terminal's group. The shell ignores it, and Redis gets a
  // group of its own where job control allows: this process drains first, then ends Redis.
  private static final String SCRIPT =
      """
      trap '' INT TERM HUP
      set -m
      "$@" & redis=$!
      cat > /dev/null
      kill -9 "$redis"
      rm -rf "$0"
      """;

  private static final String VERSION = "7.0.15";
  private static final int STARTS = 3;
  private static final int POLL_MILLIS = 20;
  private static final int START_SECONDS = 10;

  private final Process shell;
  private final int port;

  private EmbeddedRedis(Process shell, int port) {
    this.shell = shell;
    this.port = port;
  }

  /** Starts one on a free port. */
  static EmbeddedRedis start() throws IOException {
    for (int attempt = 1; ; attempt++) {
      try {
        return startOn(freePort());
      } catch (IOException e) {
        // Somebody else may have taken the port in between.
        if (attempt == STARTS) {
          throw e;
        }
      }
    }
  }

  /** Starts one on this port. */
  static EmbeddedRedis startOn(int port) throws IOException {
    Path folder = Files.createTempDirectory("transfer-service-redis");
    Path log = folder.resolve("redis.log");
    List<String> command =
        new ArrayList<>(
            List.of("/bin/sh", "-c", SCRIPT, folder.toString(), extract(folder).toString()));
    command.addAll(List.of("--port", Integer.toString(port), "--bind", "127.0.0.1"));
    command.addAll(List.of("--save", "", "--appendonly", "no"));
    command.addAll(List.of("--maxmemory-policy", "noeviction", "--dir", folder.toString()));
    Process shell =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    EmbeddedRedis redis = new EmbeddedRedis(shell, port);
    if (!redis.awaitReady()) {
      String said = Files.readString(log);
      redis.close();
      throw new IOException("the embedded Redis does not start on port " + port + ": " + said);
    }
    return redis;
  }

  private static Path extract(Path folder) throws IOException {
    String resource = "redis-server-" + VERSION + "-" + system() + "-" + processor();
    try (InputStream binary = EmbeddedRedis.class.getResourceAsStream("/" + resource)) {
      if (binary == null) {
        Files.delete(folder);
        throw new IOException(
            "there is no embedded Redis for this machine ("
                + resource
                + "); use --redis=redis://host:port or --redis=memory");
      }
      Path file = folder.resolve("redis-server");
      Files.copy(binary, file);
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
      return file;
    }
  }

  private static String system() {
    String name = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    return name.contains("mac") ? "darwin" : name;
  }

  private static String processor() {
    String name = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
    return switch (name) {
      case "x86_64" -> "amd64";
      case "aarch64" -> "arm64";
      case "x86", "i386", "i686" -> "386";
      default -> name;
    };
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private boolean awaitReady() throws IOException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
    try {
      while (System.nanoTime() < deadline) {
        if (answers()) {
          return true;
        }
        if (shell.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
          return false;
        }
      }
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while the embedded Redis was starting", e);
    }
  }

  private boolean answers() {
    try (Socket socket = new Socket()) {
      socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
      socket.setSoTimeout(500);
      socket.getOutputStream().write("PING\r\n".getBytes(US_ASCII));
      return new String(socket.getInputStream().readNBytes(5), US_ASCII).equals("+PONG");
    } catch (IOException e) {
      return false;
    }
  }

  int port() {
    return port;
  }

  /** Where it listens, as {@code host:port}. */
  String address() {
    return "127.0.0.1:" + port;
  }

  /** Where it listens, as a Redis URI. */
  String uri() {
    return "redis://" + address();
  }

  /** Kills it: what it held is gone. */
  @Override
  public void close() {
    try {
      shell.getOutputStream().close();
      if (!shell.waitFor(START_SECONDS, TimeUnit.SECONDS)) {
        shell.destroyForcibly();
      }
    } catch (IOException e) {
      shell.destroyForcibly();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
