package dev.idempotency.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.Part;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What the handler may read of a form by other methods than the one that is digested. A filter in
 * front that replaces one of them, such as a sanitizer that replaces {@code getParameterMap} alone,
 * can make two forms look the same by that one and different by the others.
 */
final class OtherReadings {

  private static final byte[] NONE = new byte[0];

  private OtherReadings() {}

  /**
   * Of a form whose parameter map is digested; empty if the other methods give the same.
   *
   * @param http whose form has been parsed: its body is not read here
   */
  static byte[] ofForm(HttpServletRequest http) {
    return RequestWrappers.override(http, "getParameterMap") ? parameters(http, true) : NONE;
  }

  /** Of a form whose parts are digested; empty if no wrapper replaces how they are read. */
  static byte[] ofParts(HttpServletRequest http) throws IOException, ServletException {
    if (!RequestWrappers.override(http, "getParts")) {
      return NONE;
    }
    TreeSet<String> names = new TreeSet<>();
    if (RequestWrappers.container(http) instanceof HttpServletRequest container) {
      container.getParts().forEach(part -> names.add(part.getName()));
    }
    TextDigest digest = new TextDigest();
    for (String name : names) {
      @Nullable Part part = http.getPart(name);
      digest.add(name).add(part == null ? NONE : MultipartBody.digest(List.of(part)));
    }
    return digest.add(parameters(http, false)).bytes();
  }

  /**
   * By each method, without those of the query, which is compared by itself.
   *
   * @param besidesMap whether only what differs from the map counts
   */
  private static byte[] parameters(HttpServletRequest http, boolean besidesMap) {
    Map<String, String[]> all = http.getParameterMap();
    Map<String, String[]> ofContainer = RequestWrappers.container(http).getParameterMap();
    Map<String, Integer> ofQuery = FormFields.queryCounts(http.getQueryString(), ofContainer);
    // A wrapper may hide a name in the map, and hand out its value if asked for it.
    TreeSet<String> names = new TreeSet<>(ofContainer.keySet());
    names.addAll(Collections.list(http.getParameterNames()));
    names.addAll(all.keySet());
    TextDigest digest = new TextDigest();
    boolean empty = true;
    for (String name : names) {
      int from = ofQuery.getOrDefault(name, 0);
      String @Nullable [] inMap = all.get(name);
      String @Nullable [] values = http.getParameterValues(name);
      @Nullable String value = from == 0 ? http.getParameter(name) : null;
      boolean ofQueryAlone = from > 0 && (values == null || values.length <= from);
      boolean same =
          Arrays.equals(inMap, values) && (from > 0 || Objects.equals(value, first(inMap)));
      if (ofQueryAlone || (besidesMap && same)) {
        continue;
      }
      empty = false;
      digest.add(name);
      if (!besidesMap) {
        add(inMap, from, digest);
      }
      add(values, from, digest);
      add(value == null ? null : new String[] {value}, 0, digest);
    }
    return empty ? NONE : digest.bytes();
  }

  private static @Nullable String first(String @Nullable [] values) {
    return values == null || values.length == 0 ? null : values[0];
  }

  private static void add(String @Nullable [] values, int from, TextDigest digest) {
    int count = values == null ? 0 : Math.max(0, values.length - from);
    digest.add(values == null ? -1 : count);
    for (int i = 0; values != null && i < count; i++) {
      digest.add(values[from + i]);
    }
  }
}
