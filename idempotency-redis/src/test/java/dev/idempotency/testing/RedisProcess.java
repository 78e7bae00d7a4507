package dev.idempotency.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
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
  private final String ready;
  private Process process;

  private RedisProcess(int port, Path directory, List<String> options, String ready)
      throws IOException {
    this.port = port;
    this.directory = directory;
    this.options = options;
    this.ready = ready;
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
      int port = FreePort.find();
      Path directory = Files.createTempDirectory("redis-");
      List<String> all =
          new ArrayList<>(
              List.of(
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
      all.addAll(List.of(options));
      return new RedisProcess(port, directory, all, "Ready to accept connections");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Starts a Sentinel that decides alone, and soon: a primary that is silent for half a second is
   * down.
   *
   * @param name of the primary, for clients
   */
  public static RedisProcess startSentinel(String name, RedisProcess primary) {
    return startSentinel(name, primary.port());
  }

  /**
   * As {@link #startSentinel(String, RedisProcess)}, for what stands at a port on 127.0.0.1.
   *
   * @param further lines of {@code sentinel.conf}
   */
  public static RedisProcess startSentinel(String name, int primaryPort, String... further) {
    try {
      int port = FreePort.find();
      Path directory = Files.createTempDirectory("redis-sentinel-");
      String settings =
          """
          bind 127.0.0.1
          port %1$d
          dir %2$s
          sentinel monitor %3$s 127.0.0.1 %4$d 1
          sentinel down-after-milliseconds %3$s 500
          sentinel failover-timeout %3$s 2000
          """
              .formatted(port, directory, name, primaryPort);
      Path file =
          Files.writeString(
              directory.resolve("sentinel.conf"), settings + String.join("\n", further) + "\n");
      List<String> options = List.of(file.toString(), "--sentinel");
      return new RedisProcess(port, directory, options, "+monitor master " + name);
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
    List<String> command = new ArrayList<>(List.of(BINARY.toString()));
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
      if (line.contains(ready)) {
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
