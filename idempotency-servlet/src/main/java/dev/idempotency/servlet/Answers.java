package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.Outcome;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Writes what the filter itself answers: problems and stored responses. Immutable. */
final class Answers {

  private static final System.Logger LOG = System.getLogger(IdempotencyFilter.class.getName());

  private static final String ALLOW_ORIGIN = "Access-Control-Allow-Origin";

  /** Names a key in the {@code instance} of a problem, followed by its digest. */
  private static final String KEYS = "urn:idempotency-key:digest:";

  private static final int PIECE = 4 * 1024;
  static final String REPLAYED = "Idempotent-Replayed";

  private final FilterSettings settings;
  private final HttpServletRequest request;

  /**
   * To a request.
   *
   * @param request that is answered
   */
  Answers(FilterSettings settings, HttpServletRequest request) {
    this.settings = settings;
    this.request = request;
  }

  void problem(HttpServletResponse response, Problem problem, String detail) throws IOException {
    problem(response, of(problem, detail));
  }

  void retryLater(HttpServletResponse response, Problem problem, String detail, Duration retryAfter)
      throws IOException {
    // RFC 9110 section 10.2.3 knows whole seconds only, and 0 would invite a busy loop.
    long seconds = Math.max(1, retryAfter.plusNanos(999_999_999).toSeconds());
    response.setHeader("Retry-After", Long.toString(seconds));
    problem(response, of(problem, detail).withRetryAfter(Duration.ofSeconds(seconds)));
  }

  void keyReused(HttpServletResponse response) throws IOException {
    problem(response, Problem.KEY_REUSED, "This key was used for another request; use a new key.");
  }

  /**
   * It is unknown how the first request ended.
   *
   * @param keyDigest for the operator whom the caller will ask
   */
  void unknown(HttpServletResponse response, String keyDigest) throws IOException {
    unknown(
        response,
        keyDigest,
        "The first request with this key ended without a known result. It may have been carried"
            + " out: check its effect before you send it again with a new key.");
  }

  /** The first request ran, and nobody can tell whether this one is the same. */
  void notComparable(HttpServletResponse response, String keyDigest) throws IOException {
    unknown(
        response,
        keyDigest,
        "The first request with this key was carried out, but requests are compared in another way"
            + " since then: whether this one is the same cannot be told. Check its effect before"
            + " you send it again with a new key.");
  }

  private void unknown(HttpServletResponse response, String keyDigest, String detail)
      throws IOException {
    problem(response, of(Problem.OUTCOME_UNKNOWN, detail).withKeyDigest(keyDigest));
  }

  private IdempotencyProblem of(Problem problem, String detail) {
    return new IdempotencyProblem(problem, settings.problemTypes() + problem.slug(), detail);
  }

  private void problem(HttpServletResponse response, IdempotencyProblem problem)
      throws IOException {
    response.setStatus(problem.status());
    settings
        .describedBy()
        .ifPresent(
            base ->
                response.addHeader("Link", "<" + base + problem.name() + ">; rel=\"describedby\""));
    response.setHeader("Cache-Control", "no-store");
    settings.problemWriter().write(request, response, problem);
  }

  /** As {@code application/problem+json}. */
  static void writeDocument(
      HttpServletRequest request, HttpServletResponse response, IdempotencyProblem problem)
      throws IOException {
    ProblemDocument document =
        new ProblemDocument(problem.type(), problem.title(), problem.status())
            .with("detail", problem.detail())
            // Who speaks: a problem of another service that is passed on names another one.
            .with("request", request.getMethod() + " " + request.getRequestURI());
    problem.keyDigest().ifPresent(digest -> document.with("instance", KEYS + digest));
    problem.originalStatus().ifPresent(status -> document.with("originalStatus", status));
    response.setContentType(ProblemDocument.MEDIA_TYPE);
    body(response, document.toBytes());
  }

  /**
   * The response of an earlier request, marked as such, if this caller may see it.
   *
   * @param origin of the request that is answered now
   */
  void replayEarlier(
      HttpServletResponse response, @Nullable String origin, Outcome outcome, Instant expiresAt)
      throws IOException {
    replay(response, origin, outcome, expiresAt, true);
  }

  /**
   * The stored response of a request that ran, to its own caller, marked as such.
   *
   * @param origin of the request that is answered now
   */
  void replay(
      HttpServletResponse response, @Nullable String origin, Outcome outcome, Instant expiresAt)
      throws IOException {
    replay(response, origin, outcome, expiresAt, false);
  }

  private void replay(
      HttpServletResponse response,
      @Nullable String origin,
      Outcome outcome,
      Instant expiresAt,
      boolean ofEarlier)
      throws IOException {
    if (!outcome.format().startsWith("http/")) {
      problem(
          response,
          Problem.KEY_REUSED,
          "This key was used for a request over another protocol; use a new key.");
      return;
    }
    RecordedResponse recorded;
    try {
      recorded =
          outcome.isTombstone() && outcome.size() == 0
              ? RecordedResponse.of(HttpServletResponse.SC_OK)
              : ResponseCodec.decode(outcome);
    } catch (CorruptRecordException e) {
      LOG.log(System.Logger.Level.ERROR, "cannot replay: {0}", e.getMessage());
      retryLater(
          response,
          Problem.STORE_UNAVAILABLE,
          "The stored response cannot be read now. Nothing was executed by this request.",
          settings.engine().config().retryAfter());
      return;
    }
    if (ofEarlier
        && settings.mayReplay().isPresent()
        && !settings.mayReplay().get().mayReplay(request, recorded)) {
      problem(
          response,
          Problem.REPLAY_REFUSED,
          "This request ran before. Its response is not shown to this caller now, and it was not"
              + " run again.");
      return;
    }
    expires(response, expiresAt);
    response.setHeader(REPLAYED, "true");
    if (outcome.isTombstone()) {
      notKept(response, recorded, outcome.size() > 0);
      return;
    }
    response.setStatus(recorded.status());
    fields(response, origin, recorded);
    switch (recorded.kind()) {
      case ERROR -> BufferedResponse.sendError(response, recorded.status(), recorded.message());
      case REDIRECT -> response.sendRedirect(first(recorded, "Location").orElse(""));
      case BODY -> body(response, recorded.bodyBytes());
    }
  }

  private void fields(
      HttpServletResponse response, @Nullable String origin, RecordedResponse recorded) {
    // A filter in front that speaks for this origin knows better than the record.
    boolean sameOrigin =
        origin != null
            && !response.containsHeader(ALLOW_ORIGIN)
            && first(recorded, ALLOW_ORIGIN)
                .filter(allowed -> allowed.equals("*") || allowed.equals(origin))
                .isPresent();
    for (RecordedResponse.Header header : recorded.headers()) {
      // The list may have become shorter since the record was written.
      if (settings.replayedHeaders().isOfAnOrigin(header.name())
          ? !sameOrigin
          : !settings.replayedHeaders().contains(header.name())) {
        continue;
      }
      if (header.name().equalsIgnoreCase("Content-Type")) {
        response.setContentType(header.value());
      } else if (header.replaces()) {
        response.setHeader(header.name(), header.value());
      } else {
        response.addHeader(header.name(), header.value());
      }
    }
    if (!response.containsHeader("Cache-Control")) {
      response.setHeader("Cache-Control", "no-store");
    }
  }

  private static Optional<String> first(RecordedResponse recorded, String name) {
    return recorded.headers().stream()
        .filter(header -> header.name().equalsIgnoreCase(name))
        .map(RecordedResponse.Header::value)
        .findFirst();
  }

  private void notKept(HttpServletResponse response, RecordedResponse recorded, boolean statusKept)
      throws IOException {
    IdempotencyProblem problem =
        of(
            Problem.RESPONSE_NOT_KEPT,
            "The first request with this key was completed, but its response "
                + (recorded.isNoStore() ? "is marked no-store and " : "")
                + "was not kept. It is not run again.");
    problem(response, statusKept ? problem.withOriginalStatus(recorded.status()) : problem);
  }

  void expires(HttpServletResponse response, Instant expiresAt) {
    settings.expiresHeader().ifPresent(name -> response.setHeader(name, HttpDate.of(expiresAt)));
  }

  /**
   * Sends a whole body. One that fits into the container's buffer is not committed, so that filters
   * in front can still set fields.
   */
  static void body(HttpServletResponse response, byte[] body) throws IOException {
    int status = response.getStatus();
    // RFC 9110 section 6.4.1: these have no content, and no length of one.
    if (status == HttpServletResponse.SC_NO_CONTENT
        || status == HttpServletResponse.SC_NOT_MODIFIED
        || body.length == 0) {
      return;
    }
    if (body.length > response.getBufferSize()) {
      response.setContentLength(body.length);
    }
    OutputStream out = target(response);
    // In pieces, because Jetty commits for one large write what it buffers for many small ones.
    for (int from = 0; from < body.length; from += PIECE) {
      out.write(body, from, Math.min(PIECE, body.length - from));
    }
  }

  private static OutputStream target(HttpServletResponse response) throws IOException {
    String type = String.valueOf(response.getContentType()).toLowerCase(Locale.ROOT);
    if (RequestWrappers.replaceWriterAlone(response)) {
      if (type.contains("charset=")) {
        return new DecodingStream(
            response.getWriter(), Charset.forName(response.getCharacterEncoding()));
      }
      if (type.equals(ProblemDocument.MEDIA_TYPE)) {
        response.setCharacterEncoding(UTF_8.name());
        return new DecodingStream(response.getWriter(), UTF_8);
      }
    }
    try {
      return response.getOutputStream();
    } catch (IllegalStateException writerInUse) {
      // Somebody in front, or a handler that failed, has opened the writer.
      return new DecodingStream(response.getWriter(), UTF_8);
    }
  }
}
