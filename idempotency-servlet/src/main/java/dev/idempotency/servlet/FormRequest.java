package dev.idempotency.servlet;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.UnsupportedEncodingException;
import java.nio.charset.Charset;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A request whose form the container has parsed. As in a container, the form is either in the
 * parameters or in the stream, whichever the handler asks for first. As any request, not
 * thread-safe.
 */
final class FormRequest extends HeldBodyRequest {

  private static final byte[] NOTHING = new byte[0];

  private final FormFields form;
  private @Nullable HeldBody body;
  private @Nullable Charset charset;
  private boolean parametersSeen;

  FormRequest(
      HttpServletRequest request,
      HttpServletResponse answer,
      RequestMemory memory,
      FormFields form) {
    super(request, answer, memory);
    this.form = form;
  }

  @Override
  boolean isRead() {
    return body != null && body.isRead();
  }

  @Override
  boolean isContentSeen() {
    return parametersSeen || form.isEmpty() || (body != null && body.isOpened());
  }

  @Override
  HeldBody body() {
    HeldBody made = body;
    if (made == null) {
      made = new HeldBody(parametersSeen ? NOTHING : form.encoded(), this::listen);
      body = made;
    }
    return made;
  }

  /**
   * The container has parsed the form with the encoding that it knew then, so the values are
   * decoded anew.
   */
  @Override
  public void setCharacterEncoding(String encoding) throws UnsupportedEncodingException {
    boolean early = !parametersSeen && body == null;
    super.setCharacterEncoding(encoding);
    if (early && FormFields.canSetCharset(this)) {
      charset = Charset.forName(encoding);
    }
  }

  @Override
  public @Nullable String getParameter(String name) {
    if (isAsParsed()) {
      // A filter in front may replace this way to a parameter and no other.
      return super.getParameter(name);
    }
    String[] values = getParameterValues(name);
    return values == null ? null : values[0];
  }

  @Override
  public String @Nullable [] getParameterValues(String name) {
    if (isAsParsed()) {
      return super.getParameterValues(name);
    }
    String[] values = getParameterMap().get(name);
    return values == null ? null : values.clone();
  }

  @Override
  public Enumeration<String> getParameterNames() {
    return isAsParsed()
        ? super.getParameterNames()
        : Collections.enumeration(getParameterMap().keySet());
  }

  @Override
  public Map<String, String[]> getParameterMap() {
    Map<String, String[]> all = super.getParameterMap();
    if (isAsParsed()) {
      return all;
    }
    return Collections.unmodifiableMap(
        body != null && !parametersSeen ? form.without(all) : form.decoded(all, charset));
  }

  /** Whether what the container says is what the handler would see without a key. */
  private boolean isAsParsed() {
    if (body == null) {
      parametersSeen = true;
    }
    return parametersSeen && (charset == null || charset.equals(form.charset()));
  }
}
