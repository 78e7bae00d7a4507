package dev.idempotency.example.payment;

import dev.idempotency.client.HttpTransport;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Pays forty orders through a network that fails, and checks that the money moved once for each.
 *
 * <p>Arguments: the service's address (default {@code http://127.0.0.1:8080}), and a file for the
 * plot (default {@code attempts.svg}).
 */
public final class Main {

  private static final int PAYMENTS = 40;
  private static final int CENTS = 100;
  private static final long EVERY_MILLIS = 150;
  private static final long DOWN_FROM = 2_000;
  private static final long DOWN_UNTIL = 5_000;
  private static final Pattern BALANCE = Pattern.compile("\"balance\"\\s*:\\s*(-?\\d+)");

  private Main() {}

  /** Runs; exits with 1 if money moved more or less than once for a payment. */
  public static void main(String[] args) throws Exception {
    URI service = URI.create(args.length > 0 ? args[0] : "http://127.0.0.1:8080");
    Path plot = Path.of(args.length > 1 ? args[1] : "attempts.svg");
    System.exit(run(service, plot, System.out) ? 0 : 1);
  }

  private static boolean run(URI service, Path plot, PrintStream out)
      throws IOException, InterruptedException, ExecutionException {
    HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    long before = balance(http, service);
    RunClock clock = new RunClock();
    try (FaultyProxy proxy = FaultyProxy.start(service, clock, DOWN_FROM, DOWN_UNTIL)) {
      Timeline timeline =
          new Timeline(new BreakerTransport(Payments.breaker(), sending(http)), clock, out);
      payAll(Payments.through(timeline, proxy.address()));
      Files.writeString(plot, AttemptPlot.of(timeline.attempts(), DOWN_FROM, DOWN_UNTIL));
      long moved = balance(http, service) - before;
      report(out, timeline, moved);
      return moved == (long) PAYMENTS * CENTS;
    }
  }

  private static HttpTransport sending(HttpClient http) {
    return new HttpTransport() {
      @Override
      public <T> CompletableFuture<HttpResponse<T>> send(
          HttpRequest request, BodyHandler<T> handler) {
        return http.sendAsync(request, handler);
      }
    };
  }

  private static void payAll(Payments payments) throws InterruptedException, ExecutionException {
    // Another run means other orders.
    String run = UUID.randomUUID().toString();
    ExecutorService callers = Executors.newCachedThreadPool();
    List<Future<?>> paid = new ArrayList<>();
    for (int i = 1; i <= PAYMENTS; i++) {
      String order = run + "/" + i;
      paid.add(callers.submit(() -> payments.pay(order, CENTS)));
      Thread.sleep(EVERY_MILLIS);
    }
    for (Future<?> each : paid) {
      each.get();
    }
    callers.shutdown();
  }

  private static void report(PrintStream out, Timeline timeline, long moved) {
    out.printf("%d payments of %d cents%n", PAYMENTS, CENTS);
    for (Timeline.Result result : Timeline.Result.values()) {
      out.printf("%5d attempts: %s%n", timeline.count(result), result);
    }
    out.printf("moved %d cents, expected %d%n", moved, PAYMENTS * CENTS);
  }

  private static long balance(HttpClient http, URI service)
      throws IOException, InterruptedException {
    HttpRequest request = HttpRequest.newBuilder(service.resolve("/v1/accounts/bob")).build();
    String body = http.send(request, BodyHandlers.ofString()).body();
    Matcher balance = BALANCE.matcher(body);
    if (!balance.find()) {
      throw new IllegalStateException("the service does not tell a balance: " + body);
    }
    return Long.parseLong(balance.group(1));
  }
}
