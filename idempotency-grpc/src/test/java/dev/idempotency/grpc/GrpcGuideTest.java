package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.Gson;
import com.google.gson.reflect.TypeToken;
import com.google.protobuf.Descriptors.FieldDescriptor;
import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.grpc.wallet.WalletServiceGrpc;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.v1.FieldPolicy;
import dev.idempotency.v1.MethodPolicy;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** {@code docs/grpc.md} says what is so. */
@Timeout(60)
class GrpcGuideTest {

  private static final Context.Key<String> TENANT = Context.key("tenant");
  private static final String GUIDE = read(Path.of("..", "docs", "grpc.md"));

  @Test
  void theInterceptorsRunInTheOrderOfThePicture() throws Exception {
    List<String> order = new CopyOnWriteArrayList<>();
    ServerInterceptor authentication = noting("authentication", order);
    ServerInterceptor metrics = noting("metrics", order);
    IdempotencyEngine engine =
        IdempotencyEngine.create(InMemoryIdempotencyStore.create(), IdempotencyConfig.defaults());
    class Wallet extends WalletServiceGrpc.WalletServiceImplBase {
      @Override
      public void pay(
          dev.idempotency.grpc.wallet.PayRequest request, StreamObserver<Payment> observer) {
        String chargeKey =
            IdempotencyInterceptor.currentExecution().orElseThrow().downstreamKey("charge-card");
        order.add("handler");
        observer.onNext(Payment.newBuilder().setId(chargeKey).build());
        observer.onCompleted();
      }
    }
    IdempotencyInterceptor idempotency =
        IdempotencyInterceptor.builder(engine)
            .scopeByContext(TENANT)
            .shieldFromCancellation(Duration.ofMinutes(2))
            .build();

    Server server =
        NettyServerBuilder.forPort(0)
            .addService(idempotency.intercept(new Wallet()))
            .intercept(authentication)
            .intercept(metrics)
            .build()
            .start();

    // The service config of the page, as a client takes it.
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("localhost", server.getPort())
            .usePlaintext()
            .defaultServiceConfig(
                new Gson()
                    .fromJson(
                        GUIDE.split("```json\n")[1].split("```")[0],
                        new TypeToken<Map<String, Object>>() {}.getType()))
            .build();
    try (engine) {
      var client = WalletServiceGrpc.newBlockingStub(channel);
      Payment first = client.pay(WalletServer.request("k", 1));
      assertThat(client.pay(WalletServer.request("k", 1))).isEqualTo(first);
      assertThat(order)
          .containsExactly("metrics", "authentication", "handler", "metrics", "authentication");
    } finally {
      channel.shutdownNow();
      server.shutdownNow().awaitTermination();
    }
  }

  private static ServerInterceptor noting(String name, List<String> order) {
    return new ServerInterceptor() {
      @Override
      public <Q, S> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
        order.add(name);
        return Contexts.interceptCall(
            Context.current().withValue(TENANT, "acme"), call, headers, next);
      }
    };
  }

  @Test
  void everySettingOfThePolicyIsInTheReference() {
    List<FieldDescriptor> settings = new java.util.ArrayList<>();
    settings.addAll(MethodPolicy.getDescriptor().getFields());
    settings.addAll(FieldPolicy.getDescriptor().getFields());
    assertThat(settings)
        .hasSizeGreaterThan(10)
        .allSatisfy(setting -> assertThat(GUIDE).contains("`" + setting.getName() + "`"));
  }

  @Test
  void everyStatusIsInItsRow() {
    String table = GUIDE.split("## What becomes of a handler's status")[1];
    Map<Ending, String> rows =
        Map.of(
            Ending.RECORD,
            "(?m)^\\| (.*) \\| recorded ",
            Ending.RELEASE,
            "(?m)^\\| (.*) \\| released",
            Ending.IN_DOUBT,
            "(?m)^\\| (.*) \\| in doubt ");
    rows.forEach(
        (ending, row) ->
            assertThat(
                    new TreeSet<>(
                        found("`([A-Z_]+)`", found(row, table).stream().findFirst().orElseThrow())))
                .isEqualTo(
                    Ending.defaults().entrySet().stream()
                        .filter(each -> each.getValue() == ending)
                        .map(each -> each.getKey().name())
                        .collect(Collectors.toCollection(TreeSet::new))));
  }

  @Test
  void everyReasonIsInTheTableWithItsStatus() throws Exception {
    String source =
        Files.readString(
            Path.of("src", "main", "java", "dev", "idempotency", "grpc", "OwnAnswer.java"));
    List<MatchResult> answers =
        Pattern.compile("(?:Status\\.Code\\.([A-Z_]+)|code),\\s+\"([A-Z_]+)\",")
            .matcher(source)
            .results()
            .toList();
    assertThat(answers)
        .hasSizeGreaterThan(10)
        .allSatisfy(
            answer ->
                assertThat(GUIDE)
                    .contains(
                        "| `"
                            + answer.group(2)
                            + "` | `"
                            + (answer.group(1) == null ? Status.Code.ABORTED : answer.group(1))));
  }

  @Test
  void snippetsForOtherServersAreThoseOfTheirTests() throws Exception {
    Path peers = Path.of("..", "idempotency-grpc-peers", "src", "test", "java");
    StringBuilder sources = new StringBuilder();
    try (var files = Files.walk(peers)) {
      files
          .filter(file -> file.toString().endsWith(".java"))
          .map(GrpcGuideTest::read)
          .forEach(sources::append);
    }
    String tested = flat(sources.toString());
    for (String part : List.of("Spring gRPC", "Armeria", "Kotlin")) {
      String section = GUIDE.split("## " + part + "\n")[1].split("\n## ")[0];
      assertThat(found("(?s)```java\n(.*?)```", section))
          .hasSize(1)
          .allSatisfy(snippet -> assertThat(tested).contains(flat(snippet)));
    }
  }

  @Test
  void theMavenSnippetsAreThoseOfTheExampleThatIsBuilt() {
    String pom = flat(read(Path.of("..", "examples", "transfer-service", "pom.xml")));
    assertThat(found("(?s)```xml\n(.*?)```", GUIDE))
        .hasSize(2)
        .allSatisfy(snippet -> assertThat(pom).contains(flat(snippet)));
  }

  private static List<String> found(String pattern, String text) {
    return Pattern.compile(pattern).matcher(text).results().map(each -> each.group(1)).toList();
  }

  private static String flat(String text) {
    return text.lines()
        .map(String::strip)
        .filter(line -> !line.isEmpty())
        .collect(Collectors.joining("\n"))
        .strip();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }
}
