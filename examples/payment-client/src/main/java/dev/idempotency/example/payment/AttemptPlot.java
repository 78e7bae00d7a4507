package dev.idempotency.example.payment;

import dev.idempotency.example.payment.Timeline.Attempt;
import dev.idempotency.example.payment.Timeline.Result;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Draws attempts over time as SVG: a line for each payment, a bar for each attempt. */
final class AttemptPlot {

  private static final int ROW = 12;
  private static final int LEFT = 40;
  private static final int TOP = 46;
  private static final int WIDTH = 860;

  private static final Map<Result, String> COLOURS =
      Map.of(
          Result.DONE, "#1a7f37",
          Result.REPLAYED, "#0969da",
          Result.IN_FLIGHT, "#bf8700",
          Result.REFUSED_503, "#cf222e",
          Result.LOST, "#8250df",
          Result.BREAKER_OPEN, "#8c959f");

  private static final Map<Result, String> WORDS =
      Map.of(
          Result.DONE, "201 done",
          Result.REPLAYED, "201 replayed",
          Result.IN_FLIGHT, "409 in flight",
          Result.REFUSED_503, "503",
          Result.LOST, "no answer",
          Result.BREAKER_OPEN, "breaker open, not sent");

  private final StringBuilder svg = new StringBuilder();
  private final double perMilli;

  private AttemptPlot(long end) {
    this.perMilli = (double) (WIDTH - LEFT - 20) / end;
  }

  /** The plot of a run in which the service was down between two times. */
  static String of(List<Attempt> attempts, long downFrom, long downUntil) {
    int payments = attempts.stream().mapToInt(Attempt::payment).max().orElse(1);
    long end = attempts.stream().mapToLong(Attempt::end).max().orElse(1) + 200;
    return new AttemptPlot(end).draw(attempts, payments, end, downFrom, downUntil);
  }

  private String draw(
      List<Attempt> attempts, int payments, long end, long downFrom, long downUntil) {
    int height = TOP + payments * ROW + 34;
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\""
                + " font-family=\"sans-serif\" font-size=\"10\">%n"
                + "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>%n",
            WIDTH,
            height,
            WIDTH,
            height));
    rect(x(downFrom), TOP - 4, x(downUntil) - x(downFrom), payments * ROW + 4, "#ffebe9");
    text(x(downFrom) + 2, TOP - 8, "service down: 503");
    legend();
    axis(end, TOP + payments * ROW);
    for (Attempt attempt : attempts) {
      double width = Math.max(3, x(attempt.end()) - x(attempt.start()));
      rect(
          x(attempt.start()),
          TOP + (attempt.payment() - 1) * ROW + 2,
          width,
          ROW - 4,
          COLOURS.getOrDefault(attempt.result(), "#000000"));
    }
    return svg.append("</svg>\n").toString();
  }

  private void legend() {
    double at = LEFT;
    for (Result result : Result.values()) {
      rect(at, 8, 10, 10, COLOURS.getOrDefault(result, "#000000"));
      text(at + 14, 17, WORDS.getOrDefault(result, ""));
      at += 130;
    }
  }

  private void axis(long end, int bottom) {
    for (long second = 0; second * 1000 <= end; second++) {
      svg.append(
          String.format(
              Locale.ROOT,
              "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"#d0d7de\"/>%n",
              x(second * 1000),
              x(second * 1000),
              TOP - 4,
              bottom + 4));
      text(x(second * 1000) - 3, bottom + 16, second + " s");
    }
    text(4, TOP + ROW - 3, "payment");
  }

  private double x(long millis) {
    return LEFT + 10 + millis * perMilli;
  }

  private void rect(double x, double y, double width, double height, String colour) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>%n",
            x,
            y,
            width,
            height,
            colour));
  }

  private void text(double x, double y, String words) {
    svg.append(
        String.format(
            Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" fill=\"#24292f\">%s</text>%n", x, y, words));
  }
}
