package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request whose body the filter has read: hands it out again, as stream, reader or form. As any
 * request, not thread-safe.
 */
final class BufferedRequest extends KeyedRequest {

  private final byte[] body;
  private @Nullable ServletInputStream stream;
  private @Nullable BufferedReader reader;
  private @Nullable Map<String, String[]> form;

  BufferedRequest(
      HttpServletRequest request, HttpServletResponse answer, BodyBudget.Share share, byte[] body) {
    super(request, answer, share);
    this.body = body;
  }

  @Override
  public ServletInputStream getInputStream() {
    if (reader != null) {
      throw new IllegalStateException("getReader() was called for this request already");
    }
    ServletInputStream handedOut = stream;
    if (handedOut == null) {
      handedOut = new ReplayableInputStream(body, this::listen);
      stream = handedOut;
    }
    return handedOut;
  }

  @Override
  public BufferedReader getReader() throws java.io.UnsupportedEncodingException {
    if (stream != null) {
      throw new IllegalStateException("getInputStream() was called for this request already");
    }
    BufferedReader handedOut = reader;
    if (handedOut == null) {
      String name = getCharacterEncoding();
      InputStreamReader decoder =
          name == null
              ? new InputStreamReader(new ByteArrayInputStream(body), ISO_8859_1)
              : new InputStreamReader(new ByteArrayInputStream(body), name);
      handedOut = new BufferedReader(decoder);
      reader = handedOut;
    }
    return handedOut;
  }

  @Override
  public @Nullable String getParameter(String name) {
    if (!isForm()) {
      return super.getParameter(name);
    }
    String[] values = form().get(name);
    return values == null ? null : values[0];
  }

  @Override
  public Map<String, String[]> getParameterMap() {
    return isForm() ? Collections.unmodifiableMap(form()) : super.getParameterMap();
  }

  @Override
  public Enumeration<String> getParameterNames() {
    return isForm() ? Collections.enumeration(form().keySet()) : super.getParameterNames();
  }

  @Override
  public String @Nullable [] getParameterValues(String name) {
    if (!isForm()) {
      return super.getParameterValues(name);
    }
    String[] values = form().get(name);
    return values == null ? null : values.clone();
  }

  private boolean isForm() {
    String type = getContentType();
    return type != null && FormParameters.isForm(type);
  }

  private Map<String, String[]> form() {
    Map<String, String[]> parsed = form;
    if (parsed == null) {
      String encoding = getCharacterEncoding();
      Charset charset =
          encoding != null && Charset.isSupported(encoding) ? Charset.forName(encoding) : UTF_8;
      String query = getQueryString();
      // Servlet 6.0 section 3.1.1: who reads the body, as Spring's FormContentFilter, has it there.
      String content = stream == null && reader == null ? new String(body, charset) : "";
      parsed = FormParameters.parse(query == null ? "" : query, content, charset);
      form = parsed;
    }
    return parsed;
  }
}
