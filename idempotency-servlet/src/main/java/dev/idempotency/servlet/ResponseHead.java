package dev.idempotency.servlet;

import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The status line and the header fields of a response that is held back.
 *
 * <p>They are kept here, so that only what was set inside the filter is recorded, and nothing of it
 * is left when another answer must be sent instead. Media type, encoding and locale go through to
 * the container, which has rules of its own for them. As any response, not thread-safe.
 */
abstract class ResponseHead extends HttpServletResponseWrapper {

  private final ResponseHeaders headers = new ResponseHeaders();
  private final SetCookies cookies = new SetCookies();
  private int status;
  private boolean typeSet;
  private boolean localeSet;
  private long declaredLength = -1;
  private @Nullable Supplier<Map<String, String>> trailers;

  /** Starts with the status that a filter in front has set. */
  ResponseHead(HttpServletResponse response) {
    super(response);
    this.status = response.getStatus();
  }

  /** Whether the handler can change nothing any more. */
  abstract boolean isFixed();

  final HttpServletResponse behind() {
    return (HttpServletResponse) getResponse();
  }

  /**
   * The fields that a replay repeats.
   *
   * @param writerUsed whether the type has got the writer's encoding, whoever set it
   */
  final List<RecordedResponse.Header> recordedHeaders(
      ReplayedHeaders replayed, boolean writerUsed) {
    List<RecordedResponse.Header> kept = new ArrayList<>();
    String type = typeSet || writerUsed ? getContentType() : null;
    if (type != null) {
      kept.add(new RecordedResponse.Header("Content-Type", ResponseHeaders.clean(type), true));
    }
    headers.forEach(
        (name, value, replaces) -> {
          if (replayed.isRecorded(name)) {
            kept.add(new RecordedResponse.Header(name, value, replaces));
          }
        });
    return kept;
  }

  /** Puts status and fields into the response behind. */
  final HttpServletResponse sendHead() {
    HttpServletResponse behind = behind();
    behind.setStatus(status);
    headers.copyTo(behind, name -> true);
    cookies.copyTo(behind);
    if (trailers != null) {
      behind.setTrailerFields(trailers);
    }
    return behind;
  }

  /** Puts the fields that do not describe a body into the response behind. */
  final void sendFieldsWithoutBody(HttpServletResponse behind) {
    headers.copyTo(behind, name -> !name.regionMatches(true, 0, "Content-", 0, 8));
    cookies.copyTo(behind);
  }

  /** Takes type and locale of the handler out of the response behind; keeps all other fields. */
  final HttpServletResponse discardHead(boolean bodyOpened) {
    HttpServletResponse behind = behind();
    if ((typeSet || localeSet || bodyOpened) && !behind.isCommitted()) {
      ResponseHeaders others = ResponseHeaders.of(behind);
      behind.reset();
      others.copyMissingTo(behind);
    }
    return behind;
  }

  final void resetHead() {
    super.reset();
    status = SC_OK;
    declaredLength = -1;
    trailers = null;
    headers.clear();
    cookies.clear();
    typeSet = false;
    localeSet = false;
  }

  /** As the handler declared it; -1 if it did not. */
  final long declaredLength() {
    return declaredLength;
  }

  /** For answers that fix the response at once. */
  final void forceStatus(int sc) {
    status = sc;
  }

  /**
   * Takes out what another service with this library has added to an answer that the handler
   * relays. Its marks are not sent in any case; here it is what replays are given for want of a
   * {@code Cache-Control} of a handler, and the time until which that service keeps the answer.
   */
  final void removeInnerMarks(Optional<String> expiresHeader) {
    expiresHeader.ifPresent(name -> headers.set(name, null));
    if (headers.contains(Answers.REPLAYED)
        && headers.values("Cache-Control").equals(List.of(RecordedResponse.NO_STORE))) {
      headers.set("Cache-Control", null);
    }
  }

  final void forceHeader(String name, String value) {
    headers.set(name, value);
  }

  @Override
  public void setStatus(int sc) {
    if (!isFixed()) {
      status = sc;
    }
  }

  @Override
  public int getStatus() {
    return status;
  }

  @Override
  public void setContentType(@Nullable String type) {
    if (!isFixed()) {
      super.setContentType(type == null ? null : ResponseHeaders.clean(type));
      // Undertow ignores null.
      typeSet = type != null || (typeSet && getContentType() != null);
    }
  }

  @Override
  public void setCharacterEncoding(@Nullable String charset) {
    if (!isFixed()) {
      super.setCharacterEncoding(charset);
      typeSet |= charset != null;
    }
  }

  @Override
  public void setLocale(Locale locale) {
    if (!isFixed()) {
      super.setLocale(locale);
      headers.set("Content-Language", locale.toLanguageTag());
      localeSet = true;
    }
  }

  @Override
  public void setContentLength(int length) {
    setContentLengthLong(length);
  }

  @Override
  public void setContentLengthLong(long length) {
    if (!isFixed()) {
      declaredLength = length;
    }
  }

  /** Sent with the handler's own answer; not recorded, because a replay has its length in front. */
  @Override
  public void setTrailerFields(Supplier<Map<String, String>> supplier) {
    if (isCommitted()) {
      throw new IllegalStateException("setTrailerFields came after the response was committed");
    }
    trailers = supplier;
  }

  @Override
  public @Nullable Supplier<Map<String, String>> getTrailerFields() {
    return trailers;
  }

  @Override
  public void addCookie(Cookie cookie) {
    if (!isFixed()) {
      cookies.add(cookie);
    }
  }

  @Override
  public void setHeader(String name, @Nullable String value) {
    if (isFixed() || isSpecial(name, value)) {
      return;
    }
    if (SetCookies.isFor(name)) {
      cookies.set(value);
    } else {
      headers.set(name, value);
    }
  }

  @Override
  public void addHeader(String name, @Nullable String value) {
    if (isFixed() || value == null || isSpecial(name, value)) {
      return;
    }
    if (SetCookies.isFor(name)) {
      cookies.add(value);
    } else {
      headers.add(name, value);
    }
  }

  private boolean isSpecial(String name, @Nullable String value) {
    if (name.equalsIgnoreCase("Content-Type")) {
      setContentType(value);
      return true;
    }
    if (name.equalsIgnoreCase("Content-Length")) {
      try {
        declaredLength = value == null ? -1 : Long.parseLong(value.strip());
      } catch (NumberFormatException notALength) {
        declaredLength = -1;
      }
      return true;
    }
    return false;
  }

  @Override
  public void setIntHeader(String name, int value) {
    setHeader(name, Integer.toString(value));
  }

  @Override
  public void addIntHeader(String name, int value) {
    addHeader(name, Integer.toString(value));
  }

  @Override
  public void setDateHeader(String name, long date) {
    setHeader(name, HttpDate.of(Instant.ofEpochMilli(date)));
  }

  @Override
  public void addDateHeader(String name, long date) {
    addHeader(name, HttpDate.of(Instant.ofEpochMilli(date)));
  }

  @Override
  public boolean containsHeader(String name) {
    return headers.contains(name) || !values(name).isEmpty() || super.containsHeader(name);
  }

  @Override
  public @Nullable String getHeader(String name) {
    List<String> own = values(name);
    return own.isEmpty() ? super.getHeader(name) : own.get(0);
  }

  @Override
  public Collection<String> getHeaders(String name) {
    List<String> all = new ArrayList<>();
    if (!(SetCookies.isFor(name) ? cookies.replaces() : headers.replaces(name))) {
      all.addAll(super.getHeaders(name));
    }
    all.addAll(values(name));
    return all;
  }

  private List<String> values(String name) {
    return SetCookies.isFor(name) ? cookies.values() : headers.values(name);
  }

  @Override
  public Collection<String> getHeaderNames() {
    Set<String> names = new LinkedHashSet<>(super.getHeaderNames());
    names.addAll(headers.names());
    if (!cookies.values().isEmpty()) {
      names.add(SetCookies.NAME);
    }
    return names;
  }
}
