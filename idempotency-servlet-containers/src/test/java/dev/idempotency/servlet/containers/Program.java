package dev.idempotency.servlet.containers;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A sequence of calls of the Servlet API, made by a filter in front, by the handler, and by the
 * filter again after the chain. Each call records what its caller observes.
 *
 * @param body sent by the client
 * @param contentType of the body
 * @param query of the request, without the question mark
 * @param before calls of the filter in front, before the chain
 * @param handler calls of the handler
 * @param after calls of the filter in front, after the chain
 * @param async whether the handler's calls run after {@code startAsync}, on another thread
 */
record Program(
    String body,
    String contentType,
    String query,
    List<Step> before,
    List<Step> handler,
    List<Step> after,
    boolean async) {

  /** One call. */
  record Step(String text, Call call) {
    @Override
    public String toString() {
      return text;
    }
  }

  /** Makes a call and returns what can be observed of it. */
  @FunctionalInterface
  interface Call {
    Object make(HttpServletRequest request, HttpServletResponse response)
        throws IOException, ServletException;
  }

  /** What one run of a program observed. */
  static final class Observations {
    private final ConcurrentLinkedQueue<String> lines = new ConcurrentLinkedQueue<>();
    private final CountDownLatch ended;

    /**
     * Of one run.
     *
     * @param ends how many callers say that they are at their end
     */
    Observations(int ends) {
      ended = new CountDownLatch(ends);
    }

    void end() {
      ended.countDown();
    }

    /** After the last call, which may be made when the answer has gone. */
    List<String> lines() throws InterruptedException {
      if (!ended.await(10, TimeUnit.SECONDS)) {
        lines.add("not all came to their end");
      }
      return List.copyOf(lines);
    }

    void run(List<Step> steps, HttpServletRequest request, HttpServletResponse response)
        throws IOException, ServletException {
      for (Step step : steps) {
        try {
          lines.add(step + " -> " + step.call().make(request, response));
        } catch (IllegalStateException | IllegalArgumentException e) {
          // Messages differ from container to container, and are no part of the contract.
          lines.add(step + " -> " + kind(e));
        }
      }
    }

    void fail(Exception e) {
      lines.add("failed with " + e.getClass().getName());
    }

    private static String kind(RuntimeException e) {
      return e instanceof IllegalStateException ? "IllegalState" : "IllegalArgument";
    }
  }

  @Override
  public String toString() {
    return """
    body (%s, query %s): %s
    in front: %s
    handler%s:%s
    after: %s
    """
        .formatted(
            contentType,
            query,
            body.length() > 200 ? body.length() + " characters" : body,
            before,
            async ? " (async)" : "",
            handler.stream().map(step -> "\n    " + step).collect(Collectors.joining()),
            after);
  }
}
