package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import redis.embedded.RedisExecProvider;

/**
 * A real Redis server in a process of its own, on a loopback port that stays the same over
 * restarts.
 *
 * <p>Started with {@code noeviction}, no snapshots, and what else the test asks for. Used by one
 * test thread.
 */
public final class RedisProcess implements AutoCloseable {

  private static final Path BINARY = binary();

  private final int port;
  private final Path directory;
  private final List<String> options;
  private Process process;

  private RedisProcess(int port, List<String> options) throws IOException {
    this.port = port;
    this.options = options;
    this.directory = Files.createTempDirectory("redis-");
    this.process = launch();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> process.destroyForcibly()));
  }

  /**
   * Starts a server and waits until it accepts connections.
   *
   * @param options further options as on the command line, for example {@code "--appendonly",
   *     "yes"}; a later one overrides an earlier one
   */
  public static RedisProcess start(String... options) {
    try {
      return new RedisProcess(freePort(), List.of(options));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A port that was free a moment ago. */
  public static int freePort() {
    try (ServerSocket socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path binary() {
    try {
      return RedisExecProvider.defaultProvider().get().toPath();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process launch() throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                BINARY.toString(),
                "--bind",
                "127.0.0.1",
                "--port",
                Integer.toString(port),
                "--dir",
                directory.toString(),
                "--save",
                "",
                "--maxmemory-policy",
                "noeviction"));
    command.addAll(options);
    Process started = new ProcessBuilder(command).redirectErrorStream(true).start();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(started.getInputStream(), UTF_8));
    StringBuilder log = new StringBuilder();
    for (String line = output.readLine(); ; line = output.readLine()) {
      if (line == null) {
        throw new IOException("redis-server did not start:\n" + log);
      }
      log.append(line).append('\n');
      if (line.contains("Ready to accept connections")) {
        break;
      }
    }
    Thread drain = new Thread(() -> output.lines().forEach(line -> {}), "redis-log-drain");
    drain.setDaemon(true);
    drain.start();
    return started;
  }

  /** The port on 127.0.0.1. */
  public int port() {
    return port;
  }

  /** The address as {@code RedisIdempotencyStore.builder().uri(…)} takes it. */
  public String uri() {
    return "redis://127.0.0.1:" + port;
  }

  /** Kills it with SIGKILL: what was not written to disk is lost. */
  public void kill() {
    process.destroyForcibly();
    waitForEnd();
  }

  /** Stops it with SIGTERM. */
  public void stop() {
    process.destroy();
    waitForEnd();
  }

  /** Starts it again on the same port, with the same data directory. */
  public void restart() {
    try {
      process = launch();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Freezes it (SIGSTOP): connections stand, nothing answers. */
  public void pause() {
    signal("STOP");
  }

  /** Lets it go on (SIGCONT). */
  public void resume() {
    signal("CONT");
  }

  private void signal(String name) {
    try {
      int status =
          new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
      if (status != 0) {
        throw new IllegalStateException("kill -" + name + " ended with " + status);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private void waitForEnd() {
    try {
      process.waitFor();
    } catch (InterruptedException e) {
      throw interrupted(e);
    }
  }

  private static IllegalStateException interrupted(InterruptedException e) {
    Thread.currentThread().interrupt();
    return new IllegalStateException("interrupted", e);
  }

  @Override
  public void close() {
    kill();
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
