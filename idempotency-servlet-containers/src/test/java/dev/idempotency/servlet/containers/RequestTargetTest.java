package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Requests for an application that is deployed under a context path, and request targets in
 * absolute form (RFC 9112 section 3.2.2): what leads to the handler of a guarded route is guarded.
 */
class RequestTargetTest extends Routed {

  private static final String CONTEXT = "/bank";

  private static final List<String> CONTEXTS =
      List.of(
          "/bank",
          "/%62ank",
          "/bank;x=1",
          "/bank;x=/",
          "/bank;x=%2F",
          "//bank",
          "/bank/",
          "/bank//",
          "/./bank",
          "/x/../bank",
          "/x/%2e%2e/bank",
          "/x/..;y/bank",
          "/bank/../bank",
          "/bank/x/..",
          "/bank/%2e",
          "/bank/;x=1",
          "/;x=1/bank",
          "/bank%2F..%2Fbank",
          "/x%2F..%2Fbank",
          "/bank/v1/../../bank",
          "/bank/bank/..",
          "/BANK",
          "/bank%2F");

  private static final List<String> TRANSFERS_WITHIN =
      List.of("/v1/transfers", "/v1/transfers/", "/v1/transfers;x=1");

  private static final List<String> ACCOUNTS_WITHIN = List.of("/v1/accounts/a%2Fb");

  private static final List<String> ORIGINS =
      List.of(
          "http://127.0.0.1",
          "http://other.example",
          "http://other.example:99",
          "http://user:secret@other.example",
          "http://a@b@other.example",
          "http://[::1]:80",
          "HTTP://other.example",
          "https://other.example",
          "ftp://other.example",
          "http://other.example/.",
          "http://other.example//",
          "http://other.example;x",
          "http://",
          "http:",
          "http:/x",
          "//other.example",
          "x://bank");

  @ParameterizedTest
  @EnumSource
  void noSpellingOfTheContextPathEscapesARoute(Router router) throws Exception {
    Company company = serve(router, List.of(), router.filters(), CONTEXT);
    List<String> routed = new ArrayList<>();
    for (String context : CONTEXTS) {
      for (String path : TRANSFERS_WITHIN) {
        assertGuardedIfRouted(company, "POST", context + path, routed);
      }
      for (String path : ACCOUNTS_WITHIN) {
        assertGuardedIfRouted(company, "PATCH", context + path, routed);
      }
    }
    assertThat(routed).contains(CONTEXT + router.routed().get(0));
    assertThat(routed.size()).isGreaterThan(1);
  }

  @ParameterizedTest
  @EnumSource
  void noTargetInAbsoluteFormEscapesARoute(Router router) throws Exception {
    Company company = serve(router, List.of(), router.filters());
    List<String> routed = new ArrayList<>();
    for (String origin : ORIGINS) {
      for (String path : TRANSFERS_WITHIN) {
        assertGuardedIfRouted(company, "POST", origin + path, routed);
      }
      for (String path : ACCOUNTS_WITHIN) {
        assertGuardedIfRouted(company, "PATCH", origin + path, routed);
      }
    }
    assertThat(routed).contains("http://127.0.0.1" + router.routed().get(0));
  }

  private void assertGuardedIfRouted(
      Company company, String method, String target, List<String> routed) throws Exception {
    sendRaw(company, method, target, "X-Control: yes");
    if (operations.isEmpty()) {
      return;
    }
    operations.clear();
    routed.add(target);
    String refused = sendRaw(company, method, target, "X-None: x");
    assertThat(operations).as(target + " without a key").isEmpty();
    assertThat(refused).as(target).contains("key-missing");
    String key = "Idempotency-Key: " + routed.size();
    String first = sendRaw(company, method, target, key);
    String retry = sendRaw(company, method, target, key);
    assertThat(operations).as(target + " and its retry").hasSize(1);
    assertThat(first).doesNotContain("Idempotent-Replayed");
    assertThat(retry).startsWith(first.substring(0, 12)).contains("Idempotent-Replayed: true");
    operations.clear();
  }

  /** By a socket: no client sends each of these. */
  private static String sendRaw(Company company, String method, String target, String field)
      throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), company.port())) {
      socket.setSoTimeout(20_000);
      String request =
          method
              + " "
              + target
              + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n"
              + field
              + "\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
    }
  }
}
