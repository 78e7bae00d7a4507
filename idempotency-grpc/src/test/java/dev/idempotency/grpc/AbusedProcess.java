package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * An {@link AbusedWallet} in a process of its own, with a channel for its abuser and one for all
 * others. What it writes to its standard error goes to {@code target}.
 */
final class AbusedProcess implements AutoCloseable {

  final Process process;
  final ManagedChannel channel;
  final ManagedChannel abuser;

  /**
   * Starts it.
   *
   * @param name of the file for its errors
   * @param arguments of {@link AbusedWallet}
   */
  AbusedProcess(String name, int heapMib, String... arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx" + heapMib + "m",
                "-XX:+ExitOnOutOfMemoryError",
                // That it ended for that reason is in the file with its errors.
                "-XX:+DisplayVMOutputToStderr",
                // What Netty receives is not in question, with a key or without.
                "-XX:MaxDirectMemorySize=2g",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                AbusedWallet.class.getName()));
    command.addAll(List.of(arguments));
    Path errors = Path.of("target", "abuse gRPC " + name + ".log");
    Files.createDirectories(errors.toAbsolutePath().getParent());
    process =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.to(errors.toFile()))
            .start();
    BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream(), UTF_8));
    String line = out.readLine();
    while (line != null && !line.startsWith("port ")) {
      line = out.readLine();
    }
    assertThat(line).as("the server starts, see " + errors).isNotNull();
    int port = Integer.parseInt(line.substring("port ".length()));
    channel = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
    abuser = ManagedChannelBuilder.forAddress("127.0.0.1", port).usePlaintext().build();
  }

  @Override
  public void close() {
    channel.shutdownNow();
    abuser.shutdownNow();
    process.destroyForcibly();
  }
}
