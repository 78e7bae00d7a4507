package dev.idempotency.client;

import java.io.IOException;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.Supplier;

/**
 * What a server sees that is down for a minute, from a hundred clients that go on calling it; in
 * manual time, with the loop as it is. The main method draws it for {@code docs/client.md}.
 */
final class BudgetSimulation {

  static final int CLIENTS = 100;
  static final int SECONDS = 120;
  static final int DOWN_FROM = 30;
  static final int DOWN_UNTIL = 90;

  private BudgetSimulation() {}

  /** Requests in each second; each client makes a call in every second, spread over it. */
  static int[] requestsPerSecond(Supplier<RetryBudget> budgetOfOneClient) {
    ManualTime time = new ManualTime();
    ScriptedServer server = new ScriptedServer(time, ScriptedServer.Reply.status(201));
    Random random = new Random(1);
    for (int client = 0; client < CLIENTS; client++) {
      RetryingHttpClient http =
          RetryingHttpClient.create(
              server,
              RetrySettings.builder()
                  .budget(budgetOfOneClient.get())
                  .time(time, random::nextDouble)
                  .build());
      for (int second = 0; second < SECONDS; second++) {
        long at = Duration.ofMillis(second * 1000L + random.nextInt(1000)).toNanos();
        var unused = time.schedule(() -> call(http), at);
      }
    }
    var down = time.schedule(() -> server.script(ScriptedServer.Reply.status(503)), at(DOWN_FROM));
    var up = time.schedule(() -> server.script(ScriptedServer.Reply.status(201)), at(DOWN_UNTIL));
    time.runAll();
    if (!down.isDone() || !up.isDone()) {
      throw new IllegalStateException("the outage did not happen");
    }
    int[] requests = new int[SECONDS + 1];
    server.seen.forEach(seen -> requests[(int) Math.min(SECONDS, seen.at().toSeconds())]++);
    return requests;
  }

  private static long at(int second) {
    return Duration.ofSeconds(second).toNanos();
  }

  private static void call(RetryingHttpClient http) {
    var unused =
        http.sendAsync(
            RetryableRequest.post(ScriptedServer.TARGET, BodySource.none()),
            BodyHandlers.discarding());
  }

  /** Draws three budgets into a file. */
  public static void main(String[] args) throws IOException {
    record Line(String name, String colour, int[] requests) {}
    List<Line> lines =
        List.of(
            new Line(
                "no budget", "#cf222e", requestsPerSecond(() -> RetryBudget.tokens(1_000_000, 0))),
            new Line(
                "20 tokens, 0.2 back",
                "#bf8700",
                requestsPerSecond(() -> RetryBudget.tokens(20, 0.2))),
            new Line(
                "10 tokens, 0.1 back (default)",
                "#1a7f37",
                requestsPerSecond(() -> RetryBudget.tokens(10, 0.1))));
    List<String> svg = new ArrayList<>();
    svg.add(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 300\""
            + " font-family=\"sans-serif\" font-size=\"11\">");
    svg.add("<rect width=\"760\" height=\"300\" fill=\"#ffffff\"/>");
    svg.add(
        format(
            "<rect x=\"%.1f\" y=\"30\" width=\"%.1f\" height=\"230\" fill=\"#ffebe9\"/>",
            x(DOWN_FROM), x(DOWN_UNTIL) - x(DOWN_FROM)));
    for (int times = 0; times <= 8; times += 2) {
      svg.add(format("<text x=\"8\" y=\"%.1f\">%d×</text>", y(times * CLIENTS) + 4, times));
      svg.add(
          format(
              "<line x1=\"40\" x2=\"750\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#d0d7de\"/>",
              y(times * CLIENTS), y(times * CLIENTS)));
    }
    for (int second = 0; second <= SECONDS; second += 30) {
      svg.add(format("<text x=\"%.1f\" y=\"278\">%d s</text>", x(second) - 8, second));
    }
    int at = 50;
    for (Line line : lines) {
      StringBuilder points = new StringBuilder();
      for (int second = 0; second < SECONDS; second++) {
        points.append(format("%.1f,%.1f ", x(second + 0.5), y(line.requests()[second])));
      }
      svg.add(
          format(
              "<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\"/>",
              points.toString().strip(), line.colour()));
      svg.add(
          format("<text x=\"%d\" y=\"20\" fill=\"%s\">%s</text>", at, line.colour(), line.name()));
      at += 200;
    }
    svg.add("</svg>");
    Files.write(Path.of(args[0]), svg);
  }

  private static String format(String form, Object... values) {
    return String.format(Locale.ROOT, form, values);
  }

  private static double x(double second) {
    return 40 + second * 710 / SECONDS;
  }

  private static double y(double requests) {
    return 260 - requests * 230 / (8.5 * CLIENTS);
  }
}
