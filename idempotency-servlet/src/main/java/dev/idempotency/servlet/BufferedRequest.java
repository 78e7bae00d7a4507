package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.Part;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.Collection;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request whose body the filter has read: hands it out again, as stream, reader or form. As any
 * request, not thread-safe.
 */
final class BufferedRequest extends HttpServletRequestWrapper {

  private final byte[] body;
  private final HttpServletResponse answer;
  private @Nullable ServletInputStream stream;
  private @Nullable BufferedReader reader;
  private @Nullable Map<String, String[]> form;
  private volatile @Nullable Exchange exchange;

  BufferedRequest(HttpServletRequest request, HttpServletResponse answer, byte[] body) {
    super(request);
    this.answer = answer;
    this.body = body;
  }

  /** From now on the exchange ends what is started asynchronously. */
  void belongsTo(Exchange owner) {
    exchange = owner;
  }

  @Override
  public ServletInputStream getInputStream() {
    if (reader != null) {
      throw new IllegalStateException("getReader() was called for this request already");
    }
    ServletInputStream handedOut = stream;
    if (handedOut == null) {
      handedOut = new ReplayableInputStream(body, task -> getAsyncContext().start(task));
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

  @Override
  public Collection<Part> getParts() {
    throw noParts();
  }

  @Override
  public Part getPart(String name) {
    throw noParts();
  }

  private static IllegalStateException noParts() {
    return new IllegalStateException(
        "getPart and getParts are not available on a request with an idempotency key, because its"
            + " body was read to compare retries; parse getInputStream(), or switch this route"
            + " off");
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
      parsed = FormParameters.parse(query == null ? "" : query, new String(body, charset), charset);
      form = parsed;
    }
    return parsed;
  }

  @Override
  public AsyncContext startAsync() {
    Exchange owner = exchange;
    // The container's own startAsync() would go on with the request whose body is gone.
    return owner == null
        ? super.startAsync(this, answer)
        : owner.startAsync(this, owner.response(), true);
  }

  @Override
  public AsyncContext startAsync(ServletRequest request, ServletResponse response) {
    Exchange owner = exchange;
    return owner == null
        ? super.startAsync(request, response)
        : owner.startAsync(request, response, false);
  }

  /** The container's own, for the exchange. */
  AsyncContext startContainerAsync(ServletRequest request, ServletResponse response) {
    return super.startAsync(request, response);
  }

  @Override
  public AsyncContext getAsyncContext() {
    Exchange owner = exchange;
    return owner == null ? super.getAsyncContext() : owner.asyncContextOr(super.getAsyncContext());
  }
}
