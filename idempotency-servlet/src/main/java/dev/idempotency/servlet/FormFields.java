package dev.idempotency.servlet;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import jakarta.servlet.http.HttpServletRequest;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The fields of a form as the container parsed it. Holds no copy of them: they are the parameters
 * of the request without those of its query, which come first (Servlet 6.0 section 3.1). Not
 * thread-safe.
 */
final class FormFields {

  /** Heap of a name beside its characters: two map entries, a list, an array, a text. */
  private static final int NAME_BYTES = 240;

  /** Heap of a value beside its characters. */
  private static final int VALUE_BYTES = 64;

  private final Map<String, String[]> parameters;
  private final Map<String, Integer> ofQuery;
  private final Charset charset;

  private FormFields(
      Map<String, String[]> parameters, Map<String, Integer> ofQuery, Charset charset) {
    this.parameters = parameters;
    this.ofQuery = ofQuery;
    this.charset = charset;
  }

  static boolean isForm(HttpServletRequest request) {
    String contentType = request.getContentType();
    if (contentType == null) {
      return false;
    }
    int end = contentType.indexOf(';');
    String type = end < 0 ? contentType : contentType.substring(0, end);
    return type.strip().toLowerCase(Locale.ROOT).equals("application/x-www-form-urlencoded");
  }

  /**
   * Lets the container parse the form, if nobody in front has done so. What it throws at a form
   * that is broken or over a limit is what the handler would see, and what answers the request.
   */
  static FormFields parse(HttpServletRequest request) {
    Map<String, String[]> parameters = request.getParameterMap();
    return new FormFields(
        parameters, queryCounts(request.getQueryString(), parameters), charsetOf(request));
  }

  /** How many of a name's values come from the query. */
  static Map<String, Integer> queryCounts(
      @Nullable String query, Map<String, String[]> parameters) {
    if (query == null || query.isEmpty()) {
      return Map.of();
    }
    Map<String, List<String>> values = new LinkedHashMap<>();
    for (String pair : query.split("&")) {
      int equals = pair.indexOf('=');
      try {
        values
            .computeIfAbsent(
                URLDecoder.decode(equals < 0 ? pair : pair.substring(0, equals), UTF_8),
                unused -> new ArrayList<>())
            .add(equals < 0 ? "" : URLDecoder.decode(pair.substring(equals + 1), UTF_8));
      } catch (IllegalArgumentException brokenEscape) {
        continue;
      }
    }
    Map<String, Integer> counts = new HashMap<>();
    values.forEach(
        (name, ofQuery) -> {
          String[] all = parameters.get(name);
          // Otherwise the container decodes queries in another way than all do by default.
          if (all != null
              && all.length >= ofQuery.size()
              && ofQuery.equals(Arrays.asList(all).subList(0, ofQuery.size()))) {
            counts.put(name, ofQuery.size());
          }
        });
    return counts;
  }

  /** With which the container has decoded the form. */
  private static Charset charsetOf(HttpServletRequest request) {
    String name = request.getCharacterEncoding();
    if (name == null) {
      name = request.getServletContext().getRequestCharacterEncoding();
    }
    try {
      if (name != null) {
        return Charset.forName(name);
      }
    } catch (IllegalArgumentException unknown) {
      // The container has used its default.
    }
    // Servlet 6.0 section 3.12; Jetty has another default for forms.
    return isJetty(request) ? UTF_8 : ISO_8859_1;
  }

  private static boolean isJetty(HttpServletRequest request) {
    return request.getServletContext().getServerInfo().startsWith("jetty/");
  }

  Charset charset() {
    return charset;
  }

  /**
   * Whether an encoding that the handler sets counts for this form. In Jetty what the client has
   * declared counts more.
   */
  static boolean canSetCharset(HttpServletRequest request) {
    return !isJetty(request)
        || !String.valueOf(request.getContentType()).toLowerCase(Locale.ROOT).contains("charset=");
  }

  /** Receives one field. */
  @FunctionalInterface
  interface Visitor {
    void visit(String name, String value);
  }

  private void forEach(Visitor visitor) {
    parameters.forEach(
        (name, values) -> {
          for (int i = ofQuery.getOrDefault(name, 0); i < values.length; i++) {
            visitor.visit(name, values[i]);
          }
        });
  }

  /**
   * About how much heap the container has given to it: names and values as texts, beside the raw
   * form, and two maps with a list and an array for each name.
   */
  long memory() {
    long bytes = 0;
    for (Map.Entry<String, String[]> parameter : parameters.entrySet()) {
      bytes += NAME_BYTES + 2L * parameter.getKey().length();
      for (String value : parameter.getValue()) {
        bytes += VALUE_BYTES + 2L * value.length();
      }
    }
    return bytes;
  }

  boolean isEmpty() {
    for (Map.Entry<String, String[]> parameter : parameters.entrySet()) {
      if (parameter.getValue().length > ofQuery.getOrDefault(parameter.getKey(), 0)) {
        return false;
      }
    }
    return true;
  }

  /** What a retry must repeat: names and values, in the order of the names. */
  byte[] digest() {
    TextDigest digest = new TextDigest();
    String[] names = parameters.keySet().toArray(new String[0]);
    Arrays.sort(names);
    for (String name : names) {
      String[] values = parameters.getOrDefault(name, new String[0]);
      int from = ofQuery.getOrDefault(name, 0);
      if (from < values.length) {
        digest.add(name).add(values.length - from);
        for (int i = from; i < values.length; i++) {
          digest.add(values[i]);
        }
      }
    }
    return digest.bytes();
  }

  /** The form in the usual spelling; how the client spelled it is not known any more. */
  byte[] encoded() {
    StringBuilder text = new StringBuilder();
    forEach(
        (name, value) ->
            text.append(text.length() == 0 ? "" : "&")
                .append(URLEncoder.encode(name, charset))
                .append('=')
                .append(URLEncoder.encode(value, charset)));
    return text.toString().getBytes(US_ASCII);
  }

  /** Those parameters that are not fields of the form. */
  Map<String, String[]> without(Map<String, String[]> all) {
    Map<String, String[]> others = new LinkedHashMap<>();
    all.forEach(
        (name, values) -> {
          int count = values.length - countOf(name);
          if (count > 0) {
            others.put(name, Arrays.copyOf(values, count));
          }
        });
    return others;
  }

  private int countOf(String name) {
    String[] values = parameters.get(name);
    return values == null ? 0 : values.length - ofQuery.getOrDefault(name, 0);
  }

  /** With the fields of the form decoded by another charset than the container's. */
  Map<String, String[]> decoded(Map<String, String[]> all, @Nullable Charset other) {
    Map<String, String[]> decoded = without(all);
    forEach((name, value) -> append(decoded, again(name, other), again(value, other)));
    return decoded;
  }

  private static void append(Map<String, String[]> to, String name, String value) {
    String[] before = to.getOrDefault(name, new String[0]);
    String[] values = Arrays.copyOf(before, before.length + 1);
    values[before.length] = value;
    to.put(name, values);
  }

  private String again(String text, @Nullable Charset other) {
    return other == null || US_ASCII.newEncoder().canEncode(text)
        ? text
        : new String(text.getBytes(charset), other);
  }
}
