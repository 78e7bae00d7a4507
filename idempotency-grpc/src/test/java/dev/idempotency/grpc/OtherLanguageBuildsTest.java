package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.idempotency.v1.PolicyProto;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The recipes of {@code docs/grpc.md} for other languages, with nothing but the file of the jar.
 * Each is skipped where its tools are not there.
 */
@Timeout(120)
class OtherLanguageBuildsTest {

  @TempDir private Path folder;
  private String recipes;

  @BeforeEach
  void unpack() throws IOException {
    recipes = Files.readString(Path.of("..", "docs", "grpc.md")).split("\n## Other languages\n")[1];
    Path proto = folder.resolve("proto");
    Files.createDirectories(folder.resolve("gen"));
    Files.createDirectories(proto.resolve("idempotency/v1"));
    try (InputStream policy =
        PolicyProto.class.getResourceAsStream("/idempotency/v1/policy.proto")) {
      Files.copy(policy, proto.resolve("idempotency/v1/policy.proto"));
    }
    Files.writeString(proto.resolve("orders.proto"), block("protobuf", "orders.v1"));
  }

  /** The block of a language in which a text stands. */
  private String block(String language, String text) {
    Matcher blocks = Pattern.compile("(?s)```" + language + "\n(.*?)```").matcher(recipes);
    while (blocks.find()) {
      if (blocks.group(1).contains(text)) {
        return blocks.group(1);
      }
    }
    throw new AssertionError("no block of " + language + " with " + text);
  }

  private String run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command).directory(folder.toFile()).redirectErrorStream(true).start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  private static boolean isThere(String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getInputStream().readAllBytes();
      return process.waitFor() == 0;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  @Test
  void pythonReadsThePolicy() throws Exception {
    assumeTrue(isThere("protoc", "--version"), "skipped: needs protoc on the PATH");
    run("sh", "-c", block("sh", "--python_out"));
    assertThat(folder.resolve("gen/orders_pb2.py")).exists();
    assertThat(folder.resolve("gen/idempotency/v1/policy_pb2.py")).exists();
    String python = "/usr/bin/python3";
    assumeTrue(isThere(python, "-c", "import google.protobuf"), "skipped: needs Python's protobuf");
    Files.writeString(
        folder.resolve("gen/read.py"),
        """
        from idempotency.v1 import policy_pb2
        import orders_pb2
        service = orders_pb2.DESCRIPTOR.services_by_name['OrderService']
        policy = service.methods[0].GetOptions().Extensions[policy_pb2.method]
        print(policy_pb2.MethodPolicy.Mode.Name(policy.mode))
        """);
    assertThat(run(python, "gen/read.py")).contains("MODE_REQUIRED");
  }

  @Test
  void goGeneratesThePolicyIntoAPackageOfItsOwnChoice() throws Exception {
    assumeTrue(
        isThere("protoc", "--version") && isThere("protoc-gen-go", "--version"),
        "skipped: needs protoc and protoc-gen-go on the PATH");
    run("sh", "-c", block("sh", "--go_out"));
    assertThat(folder.resolve("gen/example.com/orders/gen/idempotency/v1/policy.pb.go")).exists();
    assertThat(folder.resolve("gen/example.com/orders/gen/orders/v1/orders.pb.go"))
        .content()
        .contains("\"example.com/orders/gen/idempotency/v1\"");
  }

  @Test
  void nodeLoadsThePolicy() throws Exception {
    Path modules = Path.of("target", "js", "node_modules").toAbsolutePath();
    assumeTrue(
        isThere("node", "--version") && Files.exists(modules.resolve("@grpc/proto-loader")),
        "skipped: needs node, and the packages that OtherLanguageTest installs");
    Files.writeString(
        folder.resolve("load.js"),
        block("js", "loadSync")
            + "console.log(JSON.stringify(orders['orders.v1.OrderService'].CreateOrder.options));");
    assertThat(run("env", "NODE_PATH=" + modules, "node", "load.js"))
        .contains("(idempotency.v1.method)");
  }
}
