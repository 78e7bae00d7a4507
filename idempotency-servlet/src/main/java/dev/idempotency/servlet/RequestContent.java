package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Arrays;

/** Reads all that a request with a key asks for, so that it can be compared with another. */
final class RequestContent {

  /** Set by Tomcat when it has read a form and could not use all of it. */
  private static final String TOMCAT_PARSE_FAILED = "org.apache.catalina.parameter_parse_failed";

  private RequestContent() {}

  /** How reading it ended. */
  sealed interface Reading {

    /**
     * It can be run.
     *
     * @param request to hand to the handler, with its body
     * @param content what a retry must repeat
     */
    record Usable(KeyedRequest request, byte[] content) implements Reading {}

    /** It is refused: too large, or no room for it now. */
    record Refused(Problem problem, String detail) implements Reading {}
  }

  static Reading read(
      HttpServletRequest http, HttpServletResponse answer, int cap, RequestMemory memory)
      throws IOException, ServletException {
    if (MultipartBody.isMultipart(http)) {
      return parts(http, answer, cap, memory);
    }
    return FormFields.isForm(http)
        ? form(http, answer, cap, memory)
        : usable(http, answer, RequestBody.read(http, cap, memory), memory, cap);
  }

  private static Reading form(
      HttpServletRequest http, HttpServletResponse answer, int cap, RequestMemory memory)
      throws IOException, ServletException {
    if (http.getContentLengthLong() > cap) {
      return tooLarge(cap);
    }
    boolean streamReplaced = replacesStreamAlone(http);
    if (streamReplaced && isEncoded(http)) {
      // What the container would make of an encoded body is no form.
      return usable(http, answer, RequestBody.read(http, cap, memory), memory, cap);
    }
    memory.isForm();
    long declared = http.getContentLengthLong();
    // Containers make room for what is announced before they read it.
    if (!memory.resizeContent(declared < 0 ? cap : declared)) {
      return full();
    }
    FormFields form = FormFields.parse(http);
    if (!form.isEmpty() && !memory.resizeContent(form.memory())) {
      return full();
    }
    if (form.isEmpty()) {
      memory.isBody();
    } else if (streamReplaced) {
      return formAndStream(http, answer, form, cap, memory);
    }
    RequestBody.Reading rest = RequestBody.readRest(http, cap, memory);
    if (rest instanceof RequestBody.Reading.Whole whole && whole.bytes().length == 0) {
      boolean lost =
          form.isEmpty()
              && http.getContentLengthLong() > 0
              && http.getAttribute(TOMCAT_PARSE_FAILED) == null;
      return lost
          ? usable(http, answer, new RequestBody.Reading.Incomplete(), memory, cap)
          : new Reading.Usable(
              new FormRequest(http, answer, memory, form),
              joined(form.digest(), OtherReadings.ofForm(http)));
    }
    // For this method, or this size, the container parses no forms.
    return usable(http, answer, rest, memory, cap);
  }

  /**
   * Whether a wrapper in front replaces the stream or the reader, and leaves parameters as the
   * container parses them.
   */
  private static boolean replacesStreamAlone(HttpServletRequest http) {
    return (RequestWrappers.override(http, "getInputStream")
            || RequestWrappers.override(http, "getReader"))
        && !RequestWrappers.override(http, "getParameterMap");
  }

  private static boolean isEncoded(HttpServletRequest http) {
    return RequestWrappers.container(http) instanceof HttpServletRequest container
        && container.getHeader("Content-Encoding") != null;
  }

  /**
   * A form whose parameters are the container's, and whose stream is what a wrapper in front makes
   * of it. The handler may ask for either, so both are compared.
   */
  private static Reading formAndStream(
      HttpServletRequest http,
      HttpServletResponse answer,
      FormFields form,
      int cap,
      RequestMemory memory)
      throws IOException, ServletException {
    byte[] encoded = form.encoded();
    RequestBody.Reading stream = new RequestBody.Reading.Whole(encoded);
    if (RequestWrappers.override(http, "getInputStream")) {
      RequestWrappers.insertBelow(
          http,
          container ->
              new BufferedRequest.Rewound(container, new HeldBody(encoded, Runnable::run)));
      stream = RequestBody.readRest(http, cap, memory);
    }
    Reading reading = usable(http, answer, stream, memory, cap);
    return reading instanceof Reading.Usable usable
        ? new Reading.Usable(usable.request(), joined(form.digest(), usable.content()))
        : reading;
  }

  private static byte[] joined(byte[] digest, byte[] rest) {
    byte[] joined = Arrays.copyOf(digest, digest.length + rest.length);
    System.arraycopy(rest, 0, joined, digest.length, rest.length);
    return joined;
  }

  private static Reading parts(
      HttpServletRequest http, HttpServletResponse answer, int cap, RequestMemory memory)
      throws IOException, ServletException {
    MultipartBody.Reading parts = MultipartBody.read(http, cap);
    if (parts instanceof MultipartBody.Reading.Parsed parsed) {
      memory.isForm();
      if (!memory.resizeContent(parsed.memory())) {
        return full();
      }
      return new Reading.Usable(
          new KeyedRequest(http, answer, memory),
          joined(parsed.digest(), OtherReadings.ofParts(http)));
    }
    if (!(parts instanceof MultipartBody.Reading.NotParsed notParsed)) {
      return tooLarge(cap);
    }
    RequestBody.Reading body;
    try {
      body = RequestBody.read(http, cap, memory);
    } catch (IOException | IllegalStateException alsoNotRead) {
      return refusedByContainer(notParsed.why());
    }
    if (body instanceof RequestBody.Reading.Incomplete
        || (body instanceof RequestBody.Reading.Whole whole
            && !MultipartBody.mayBeWhole(whole.bytes()))) {
      return refusedByContainer(notParsed.why());
    }
    return usable(http, answer, body, memory, cap);
  }

  /** The container's word on a broken form stands; of its limits it says so in this way only. */
  private static Reading refusedByContainer(Exception why) throws IOException, ServletException {
    if (why instanceof IOException e) {
      throw e;
    }
    if (why instanceof ServletException e) {
      throw e;
    }
    if (why instanceof RuntimeException e && !(why instanceof IllegalStateException)) {
      throw e;
    }
    return new Reading.Refused(
        Problem.REQUEST_TOO_LARGE, "The parts of this request are larger than is accepted here.");
  }

  private static Reading usable(
      HttpServletRequest http,
      HttpServletResponse answer,
      RequestBody.Reading body,
      RequestMemory memory,
      int cap)
      throws ServletException {
    if (body instanceof RequestBody.Reading.Whole whole) {
      return new Reading.Usable(
          new BufferedRequest(http, answer, memory, whole.bytes()), whole.bytes());
    }
    if (body instanceof RequestBody.Reading.TooLarge) {
      return tooLarge(cap);
    }
    if (body instanceof RequestBody.Reading.NoRoom) {
      return full();
    }
    throw new ServletException(
        "the body of a keyed request was read before the idempotency filter; register the filter"
            + " before whatever reads bodies, or let that hand on a request that still has it");
  }

  private static Reading full() {
    return new Reading.Refused(
        Problem.BODIES_FULL,
        "Too many requests are in progress. Nothing was executed by this one.");
  }

  private static Reading tooLarge(int cap) {
    return new Reading.Refused(
        Problem.REQUEST_TOO_LARGE, "A request with a key may have at most " + cap + " bytes here.");
  }
}
