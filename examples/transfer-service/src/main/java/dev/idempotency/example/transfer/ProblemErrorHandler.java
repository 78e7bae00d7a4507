package dev.idempotency.example.transfer;

import java.nio.ByteBuffer;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** Answers what no servlet answered, such as unknown paths, as problems too. */
final class ProblemErrorHandler implements Request.Handler {

  private final JsonFormat json;

  ProblemErrorHandler(JsonFormat json) {
    this.json = json;
  }

  @Override
  public boolean handle(Request request, Response response, Callback callback) {
    int status = response.getStatus();
    byte[] body = json.write(new Problem(status, "about:blank", title(status), ""));
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/problem+json");
    response.write(true, ByteBuffer.wrap(body), callback);
    return true;
  }

  private static String title(int status) {
    return HttpStatus.getMessage(status);
  }
}
