package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

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
      HttpServletRequest http, HttpServletResponse answer, int cap, BodyBudget.Share share)
      throws IOException, ServletException {
    if (MultipartBody.isMultipart(http)) {
      return parts(http, answer, cap, share);
    }
    return FormFields.isForm(http)
        ? form(http, answer, cap, share)
        : usable(http, answer, RequestBody.read(http, cap, share), share, cap);
  }

  private static Reading form(
      HttpServletRequest http, HttpServletResponse answer, int cap, BodyBudget.Share share)
      throws IOException, ServletException {
    if (http.getContentLengthLong() > cap) {
      return tooLarge(cap);
    }
    FormFields form = FormFields.parse(http);
    RequestBody.Reading rest = RequestBody.readRest(http, cap, share);
    if (rest instanceof RequestBody.Reading.Whole whole && whole.bytes().length == 0) {
      boolean lost =
          form.isEmpty()
              && http.getContentLengthLong() > 0
              && http.getAttribute(TOMCAT_PARSE_FAILED) == null;
      return lost
          ? usable(http, answer, new RequestBody.Reading.Incomplete(), share, cap)
          : new Reading.Usable(new FormRequest(http, answer, share, form), form.digest());
    }
    // For this method, or this size, the container parses no forms.
    return usable(http, answer, rest, share, cap);
  }

  private static Reading parts(
      HttpServletRequest http, HttpServletResponse answer, int cap, BodyBudget.Share share)
      throws IOException, ServletException {
    MultipartBody.Reading parts = MultipartBody.read(http, cap);
    if (parts instanceof MultipartBody.Reading.Parsed parsed) {
      return new Reading.Usable(new KeyedRequest(http, answer, share), parsed.digest());
    }
    if (!(parts instanceof MultipartBody.Reading.NotParsed notParsed)) {
      return tooLarge(cap);
    }
    RequestBody.Reading body;
    try {
      body = RequestBody.read(http, cap, share);
    } catch (IOException | IllegalStateException alsoNotRead) {
      return refusedByContainer(notParsed.why());
    }
    if (body instanceof RequestBody.Reading.Incomplete
        || (body instanceof RequestBody.Reading.Whole whole
            && !MultipartBody.mayBeWhole(whole.bytes()))) {
      return refusedByContainer(notParsed.why());
    }
    return usable(http, answer, body, share, cap);
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
      BodyBudget.Share share,
      int cap)
      throws ServletException {
    if (body instanceof RequestBody.Reading.Whole whole) {
      return new Reading.Usable(
          new BufferedRequest(http, answer, share, whole.bytes()), whole.bytes());
    }
    if (body instanceof RequestBody.Reading.TooLarge) {
      return tooLarge(cap);
    }
    if (body instanceof RequestBody.Reading.NoRoom) {
      return new Reading.Refused(
          Problem.BODIES_FULL,
          "Too many requests are in progress. Nothing was executed by this one.");
    }
    throw new ServletException(
        "the body of a keyed request was read before the idempotency filter; register the filter"
            + " before whatever reads bodies, or let that hand on a request that still has it");
  }

  private static Reading tooLarge(int cap) {
    return new Reading.Refused(
        Problem.REQUEST_TOO_LARGE, "A request with a key may have at most " + cap + " bytes here.");
  }
}
