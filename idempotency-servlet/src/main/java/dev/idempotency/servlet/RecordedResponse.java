package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.store.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A response as it is stored and replayed. Resolvers and handlers that end an execution themselves
 * build their outcome with it:
 *
 * <pre>{@code
 * RecordedResponse.of(201).header("Content-Type", "application/json").body(json).toOutcome()
 * }</pre>
 *
 * <p>Immutable; each method with an argument gives a changed copy.
 */
public final class RecordedResponse {

  static final String NO_STORE = "no-store";

  private final int status;
  private final List<Header> headers;
  private final byte[] body;
  private final Kind kind;

  /** By which call of the Servlet API the handler answered, and a replay answers. */
  enum Kind {
    BODY(0),
    /** {@code sendError}: the container makes its page anew. The body is the message, in UTF-8. */
    ERROR(1),
    /** {@code sendRedirect}: the container makes the location absolute, or does not. */
    REDIRECT(2);

    private final int code;

    Kind(int code) {
      this.code = code;
    }

    /** In the stored form. */
    int code() {
      return code;
    }
  }

  /**
   * A header field.
   *
   * @param name a token of RFC 9110
   * @param value without control characters other than tab, and without any above U+00FF
   * @param replaces whether it takes the place of what a filter in front has set
   */
  record Header(String name, String value, boolean replaces) {

    Header {
      if (!KeyHeader.isToken(name)) {
        throw new IllegalArgumentException("not a header name: \"" + visible(name) + "\"");
      }
      if (!isSafe(value)) {
        throw new IllegalArgumentException(
            "the value of the header "
                + name
                + " has a control character, or one above U+00FF; remove it");
      }
    }

    /**
     * Against response splitting: RFC 9110 section 5.5. Not above 0xFF, where a container that cuts
     * characters to bytes could make a line end of one.
     */
    static boolean isSafe(String value) {
      return value.chars().allMatch(c -> (c >= 0x20 && c <= 0xFF && c != 0x7F) || c == '\t');
    }

    private static String visible(String name) {
      return name.replaceAll("[^\\x21-\\x7E]", "?");
    }
  }

  RecordedResponse(int status, List<Header> headers, byte[] body, Kind kind) {
    if (status < 100 || status > 999) {
      throw new IllegalArgumentException("status must be 100 to 999, but is " + status);
    }
    this.status = status;
    this.headers = List.copyOf(headers);
    this.body = body;
    this.kind = kind;
  }

  /**
   * A response without headers and body.
   *
   * @param status 200 to 999: RFC 9110 section 15 knows none above 599, but containers send them
   */
  public static RecordedResponse of(int status) {
    if (status < 200) {
      throw new IllegalArgumentException("status must be 200 to 999, but is " + status);
    }
    return new RecordedResponse(status, List.of(), new byte[0], Kind.BODY);
  }

  /** A {@code sendError}. */
  static RecordedResponse error(int status, List<Header> headers, String message) {
    return new RecordedResponse(status, headers, message.getBytes(UTF_8), Kind.ERROR);
  }

  /**
   * Adds a header field. The first of a name is set when it is replayed, as by {@code setHeader};
   * the others are added to it. On replay only those go out that the filter replays, see {@link
   * IdempotencyFilterBuilder#replayedHeaders}.
   *
   * @throws IllegalArgumentException if name or value could not stand in a response
   */
  public RecordedResponse header(String name, String value) {
    List<Header> more = new ArrayList<>(headers);
    more.add(new Header(name, value, headerValues(name).isEmpty()));
    return new RecordedResponse(status, more, body, kind);
  }

  /** With this body; copied. */
  public RecordedResponse body(byte[] bytes) {
    return new RecordedResponse(status, headers, bytes.clone(), Kind.BODY);
  }

  /** For the engine, in the format {@value ResponseCodec#FORMAT}. */
  public Outcome toOutcome() {
    return Outcome.wrap(ResponseCodec.FORMAT, ResponseCodec.encode(this));
  }

  /** For the engine: only the status is kept. */
  Outcome toTombstone() {
    RecordedResponse head = new RecordedResponse(status, List.of(), new byte[0], Kind.BODY);
    return Outcome.tombstone(ResponseCodec.FORMAT, ResponseCodec.encode(head));
  }

  /** For the engine: the status is kept, and that more may not be. */
  Outcome toNoStoreTombstone() {
    RecordedResponse head =
        new RecordedResponse(
            status, List.of(new Header("Cache-Control", NO_STORE, true)), new byte[0], Kind.BODY);
    return Outcome.tombstone(ResponseCodec.FORMAT, ResponseCodec.encode(head));
  }

  /** Whether it says {@code Cache-Control: no-store}. */
  boolean isNoStore() {
    return headerValues("Cache-Control").stream()
        .flatMap(value -> Arrays.stream(value.split(",")))
        .anyMatch(directive -> directive.strip().equalsIgnoreCase(NO_STORE));
  }

  Kind kind() {
    return kind;
  }

  /** Of a {@code sendError}; empty if it had none. */
  String message() {
    return new String(body, UTF_8);
  }

  /** Its status. */
  public int status() {
    return status;
  }

  /** The values of a header field, in their order; empty if it is not there. */
  public List<String> headerValues(String name) {
    return headers.stream()
        .filter(header -> header.name().equalsIgnoreCase(name))
        .map(Header::value)
        .toList();
  }

  /** Without a header field. */
  public RecordedResponse withoutHeader(String name) {
    List<Header> fewer =
        headers.stream().filter(header -> !header.name().equalsIgnoreCase(name)).toList();
    return new RecordedResponse(status, fewer, body, kind);
  }

  /** A copy of the body; of a {@code sendError} its message in UTF-8. */
  public byte[] toBody() {
    return body.clone();
  }

  List<Header> headers() {
    return headers;
  }

  /** The bytes themselves; not to be changed. */
  byte[] bodyBytes() {
    return body;
  }
}
