package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.FileDescriptor;
import dev.idempotency.grpc.WalletServer.Transport;
import dev.idempotency.grpc.wallet.PayRequest;
import dev.idempotency.grpc.wallet.Payment;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A client on Node with {@code @grpc/grpc-js}. Its packages are installed into {@code target} once;
 * skipped where there is no Node, or no registry to install them from.
 */
@Timeout(120)
class OtherLanguageTest {

  private static final Path SOURCES = Path.of("src", "test", "js");
  private static final Path FOLDER = Path.of("target", "js");

  @Test
  void aNodeClientsRetriesHaveOneEffectAndTheFirstsAnswer() throws Exception {
    assumeTrue(isThere("node") && isThere("npm"), "skipped: needs node and npm on the PATH");
    assumeTrue(isInstalled(), "skipped: npm could not install the packages of src/test/js");

    try (WalletServer server = WalletServer.on(Transport.NETTY);
        CuttingProxy proxy = new CuttingProxy(server.port())) {
      CompletableFuture<StreamObserver<Payment>> late = new CompletableFuture<>();
      server.wallet.answer =
          (effect, amount, observer) -> {
            if (amount == 3 && effect == 2) {
              proxy.cutNextAnswer();
            }
            if (amount == 4) {
              late.complete(observer);
            } else {
              Wallet.PAID.to(effect, amount, observer);
            }
          };
      Process client =
          start(
              FOLDER,
              "node",
              "client.js",
              descriptors().toString(),
              Integer.toString(server.port()),
              Integer.toString(proxy.port()));
      StreamObserver<Payment> observer = late.get(60, TimeUnit.SECONDS);
      // Its client gives up after 300 ms, and calls again: that call waits for this handler.
      TwelveRulesTest.awaitWaiter(server.engine);
      Wallet.PAID.to(3, 4, observer);
      String output = new String(client.getInputStream().readAllBytes(), UTF_8);

      assertThat(output.lines())
          .containsExactly(
              "{\"replayed\":false,\"code\":0,\"id\":\"p-1\",\"details\":false}",
              "{\"replayed\":true,\"code\":0,\"id\":\"p-1\",\"details\":false}",
              // FAILED_PRECONDITION, with an ErrorInfo.
              "{\"replayed\":false,\"code\":9,\"id\":\"\",\"details\":true}",
              // Its connection was cut, and gRPC's own retry got the answer.
              "{\"replayed\":true,\"code\":0,\"id\":\"p-2\",\"details\":false}",
              // DEADLINE_EXCEEDED, then the result that came late.
              "{\"replayed\":false,\"code\":4,\"id\":\"\",\"details\":false}",
              "{\"replayed\":true,\"code\":0,\"id\":\"p-3\",\"details\":false}");
      assertThat(proxy.cuts()).isEqualTo(1);
      assertThat(server.wallet.effects).hasValue(3);
    }
  }

  private static boolean isThere(String program) throws InterruptedException {
    try {
      return start(Path.of("."), program, "--version").waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  private static boolean isInstalled() throws Exception {
    Files.createDirectories(FOLDER);
    for (String file : List.of("package.json", "package-lock.json", "client.js")) {
      Files.copy(SOURCES.resolve(file), FOLDER.resolve(file), StandardCopyOption.REPLACE_EXISTING);
    }
    // Written by npm when it is done.
    Path done = FOLDER.resolve("node_modules").resolve(".package-lock.json");
    if (Files.exists(done)) {
      return true;
    }
    Process npm =
        start(
            FOLDER,
            "npm",
            "ci",
            "--prefer-offline",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=0",
            "--fetch-timeout=20000");
    if (!npm.waitFor(60, TimeUnit.SECONDS)) {
      npm.destroyForcibly();
      return false;
    }
    return npm.exitValue() == 0;
  }

  private static Process start(Path folder, String... command) throws IOException {
    return new ProcessBuilder(command)
        .directory(folder.toFile())
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  /** The wallet's .proto and all that it imports. */
  private static Path descriptors() throws IOException {
    Set<FileDescriptor> files = new LinkedHashSet<>();
    collect(PayRequest.getDescriptor().getFile(), files);
    FileDescriptorSet.Builder set = FileDescriptorSet.newBuilder();
    files.forEach(file -> set.addFile(file.toProto()));
    Path path = FOLDER.resolve("wallet.binpb").toAbsolutePath();
    Files.write(path, set.build().toByteArray());
    return path;
  }

  private static void collect(FileDescriptor file, Set<FileDescriptor> files) {
    file.getDependencies().forEach(each -> collect(each, files));
    files.add(file);
  }
}
