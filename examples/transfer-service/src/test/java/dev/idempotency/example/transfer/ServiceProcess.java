package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The packaged jar as a process of its own; killed at the end. */
final class ServiceProcess implements AutoCloseable {

  private static final Pattern READY =
      Pattern.compile("ready http=(\\d+) grpc=(\\d+) redis=(\\S+)");

  private final Process process;
  private final BufferedReader said;
  private final Matcher ready;

  private ServiceProcess(Process process, BufferedReader said, Matcher ready) {
    this.process = process;
    this.said = said;
    this.ready = ready;
  }

  /** Runs the jar with exactly these flags. */
  static Process run(String... flags) throws IOException {
    return run(ProcessBuilder.Redirect.INHERIT, flags);
  }

  private static Process run(ProcessBuilder.Redirect log, String... flags) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xmx256m",
                "-jar",
                System.getProperty("transfer-service.jar")));
    command.addAll(List.of(flags));
    return new ProcessBuilder(command).redirectError(log).start();
  }

  /** Starts it on free ports, and waits until it serves. */
  static ServiceProcess start(String... flags) throws IOException {
    return start(ProcessBuilder.Redirect.INHERIT, flags);
  }

  /** As {@link #start(String...)}, with its log where the caller wants it. */
  static ServiceProcess start(ProcessBuilder.Redirect log, String... flags) throws IOException {
    List<String> all = new ArrayList<>(List.of("--http-port=0", "--grpc-port=0"));
    all.addAll(List.of(flags));
    Process process = run(log, all.toArray(String[]::new));
    BufferedReader said =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = said.readLine();
    Matcher ready = READY.matcher(String.valueOf(line));
    if (!ready.matches()) {
      process.destroyForcibly();
      throw new IOException("the service does not start, it said: " + line);
    }
    return new ServiceProcess(process, said, ready);
  }

  int httpPort() {
    return Integer.parseInt(ready.group(1));
  }

  int grpcPort() {
    return Integer.parseInt(ready.group(2));
  }

  HttpCaller http() {
    return new HttpCaller(httpPort());
  }

  GrpcCaller grpc() {
    return new GrpcCaller(grpcPort());
  }

  String redis() {
    return ready.group(3);
  }

  /** Waits until so many transfers have stopped where {@code --pause-at} says. */
  void awaitPaused(int transfers) throws IOException {
    for (int i = 0; i < transfers; i++) {
      String line = String.valueOf(said.readLine());
      if (!line.startsWith("paused at=")) {
        throw new IOException("the service did not pause, it said: " + line);
      }
    }
  }

  /** Lets so many paused transfers go on. */
  void goOn(int transfers) throws IOException {
    process.getOutputStream().write(new byte[transfers]);
    process.getOutputStream().flush();
  }

  /** Sends SIGKILL, and waits for its end. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** Sends SIGSTOP: its connections stand, nothing answers, its leases end. */
  void freeze() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** Sends SIGCONT. */
  void thaw() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start();
    if (kill.waitFor() != 0) {
      throw new IOException("kill -" + name + " ended with " + kill.exitValue());
    }
  }

  /** Sends SIGTERM. */
  void terminate() {
    process.destroy();
  }

  int awaitExit() throws InterruptedException {
    if (!process.waitFor(30, TimeUnit.SECONDS)) {
      throw new AssertionError("the service still runs");
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroyForcibly();
  }
}
