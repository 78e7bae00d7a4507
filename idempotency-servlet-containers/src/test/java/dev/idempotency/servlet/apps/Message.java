package dev.idempotency.servlet.apps;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A request that can be sent to more than one server, and again.
 *
 * @param body not to be changed
 */
public record Message(String method, String path, Map<String, String> headers, byte[] body) {

  /** A POST without a body. */
  public static Message post(String path) {
    return new Message("POST", path, Map.of(), new byte[0]);
  }

  /** With another method. */
  public Message method(String other) {
    return new Message(other, path, headers, body);
  }

  /** With one more header. */
  public Message header(String name, String value) {
    Map<String, String> more = new LinkedHashMap<>(headers);
    more.put(name, value);
    return new Message(method, path, more, body);
  }

  /** With a JSON body. */
  public Message json(String json) {
    return body("application/json", json);
  }

  /** An order of one of an item, as JSON. */
  public Message order(String item) {
    return json("{\"item\":\"" + item + "\",\"quantity\":1}");
  }

  /** With the body of a form, escaped already. */
  public Message form(String form) {
    return body("application/x-www-form-urlencoded", form);
  }

  /** With two parts: an item, and a file of 16 bytes. */
  public Message files(String boundary, String item) {
    String body =
        """
        --limit
        Content-Disposition: form-data; name="item"

        %s
        --limit
        Content-Disposition: form-data; name="list"; filename="list.txt"
        Content-Type: text/plain

        one line of text
        --limit--
        """;
    return body(
        "multipart/form-data; boundary=" + boundary,
        body.replace("limit", boundary).formatted(item).replace("\n", "\r\n"));
  }

  /** With a body. */
  public Message body(String contentType, String text) {
    return new Message(method, path, headers, text.getBytes(UTF_8))
        .header("Content-Type", contentType);
  }
}
