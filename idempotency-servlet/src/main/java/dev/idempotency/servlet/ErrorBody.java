package dev.idempotency.servlet;

import java.util.ArrayList;
import java.util.List;

/**
 * The body of a handler's {@code sendError} that is recorded. The container would make its page
 * after the filter, where it cannot be recorded, so the filter makes a small one itself.
 */
final class ErrorBody {

  private ErrorBody() {}

  static byte[] of(BufferedResponse response) {
    String message = response.error().orElse("");
    // RFC 9457 section 4.2.1: about:blank says no more than the status does.
    ProblemDocument document =
        new ProblemDocument("about:blank", "Error " + response.getStatus(), response.getStatus());
    return (message.isEmpty() ? document : document.with("detail", message)).toBytes();
  }

  static RecordedResponse replacing(RecordedResponse own, BufferedResponse response) {
    List<RecordedResponse.Header> headers = new ArrayList<>();
    headers.add(new RecordedResponse.Header("Content-Type", ProblemDocument.MEDIA_TYPE));
    for (RecordedResponse.Header header : own.headers()) {
      if (!header.name().equalsIgnoreCase("Content-Type")) {
        headers.add(header);
      }
    }
    return new RecordedResponse(own.status(), headers, of(response));
  }
}
