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
  private final Matcher ready;

  private ServiceProcess(Process process, Matcher ready) {
    this.process = process;
    this.ready = ready;
  }

  /** Runs the jar with exactly these flags. */
  static Process run(String... flags) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-Xmx256m",
                "-jar",
                System.getProperty("transfer-service.jar")));
    command.addAll(List.of(flags));
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
  }

  /** Starts it on free ports, and waits until it serves. */
  static ServiceProcess start(String... flags) throws IOException {
    List<String> all = new ArrayList<>(List.of("--http-port=0", "--grpc-port=0"));
    all.addAll(List.of(flags));
    Process process = run(all.toArray(String[]::new));
    String line =
        new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8)).readLine();
    Matcher ready = READY.matcher(String.valueOf(line));
    if (!ready.matches()) {
      process.destroyForcibly();
      throw new IOException("the service does not start, it said: " + line);
    }
    return new ServiceProcess(process, ready);
  }

  HttpCaller http() {
    return new HttpCaller(Integer.parseInt(ready.group(1)));
  }

  GrpcCaller grpc() {
    return new GrpcCaller(Integer.parseInt(ready.group(2)));
  }

  String redis() {
    return ready.group(3);
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
