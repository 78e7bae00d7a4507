package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Whatever leads to the handler of a guarded route is guarded, however its path is spelled. */
class PathSpellingTest extends Routed {

  private static final List<String> TRANSFER_PATHS =
      List.of(
          "/v1/transfers",
          "/v1/transfers/",
          "/v1/transfers//",
          "/v1/transfers;x=1",
          "/v1/transfers/;x=1",
          "/v1/transfers/;x=/",
          "/v1;a=b/transfers",
          "/v1//transfers",
          "//v1/transfers",
          "/v1/./transfers",
          "/v1/x/../transfers",
          "/v1/x/%2e%2e/transfers",
          "/v1/x/..;a=b/transfers",
          "/v1/%74ransfers",
          "/%76%31/transfers",
          "/v1%2Ftransfers",
          "/v1%2ftransfers%2f",
          "/v1/transfers%2F",
          "/v1/transfers%3Bx=1",
          "/v1/transfers/.",
          "/v1/transfers/x/..",
          "/v1/transfers/..;/transfers",
          "/v1/transfers///;;",
          "/v1/transfers/%2e",
          "/v1/transfers/%2E/",
          "/v1%5Ctransfers",
          "/v1/x%5C..%5Ctransfers",
          "/v1/transfers%5C",
          "/v1/transfers%00",
          "/v1/transfers%20",
          "/v1/transfers%09",
          "/v1/transfers%0A",
          "/v1/transfers.",
          "/v1/transfers.json",
          "/v1/transfers%252F",
          "/v1%252Ftransfers",
          "/v1%C0%AFtransfers",
          "/v1/%C1%B4ransfers",
          "/v1/transfers;",
          "/v1/transfers;;x",
          "/v1/transfers;%2F..",
          "/;/v1/transfers",
          "/;x=1//v1;/./transfers",
          "/v1/TRANSFERS",
          "/v1/transfers%23x",
          "/v1/transfers%3Fx");

  private static final List<String> ACCOUNT_PATHS =
      List.of(
          "/v1/accounts/a",
          "/v1/accounts/a/",
          "/v1/accounts/a%2Fb",
          "/v1/accounts/a%2Fb/",
          "/v1/accounts/a%2fb%2Fc",
          "/v1/accounts/%2F",
          "/v1/accounts/a;x=1",
          "/v1/accounts/a;x=/",
          "/v1/accounts/a;x=b%2Fc",
          "/v1/accounts/a%3Bx=%2F",
          "/v1/accounts/a/;x=1",
          "/v1/accounts//a",
          "/v1/accounts/x/../a",
          "/v1/accounts/caf%C3%A9",
          "/v1/accounts/%2e",
          "/v1/accounts/%2E%2E%2Fa",
          "/v1/accounts/..%2Fa",
          "/v1/accounts/%20",
          "/v1/accounts/a%5Cb",
          "/v1/accounts/a%00b",
          "/v1/accounts/a%252Fb",
          "/v1/accounts/%C3",
          "/v1/accounts/;x",
          "/v1/accounts/%3B",
          "/v1/accounts/*",
          "/v1/accounts/%EF%BF%BF");

  @ParameterizedTest
  @EnumSource
  void noSpellingThatIsRoutedToAHandlerEscapesItsRoute(Router router) throws Exception {
    Company company = serve(router, List.of(), router.filters());
    List<String> routed = new ArrayList<>();
    for (String path : TRANSFER_PATHS) {
      assertGuardedIfRouted(company, "POST", path, routed);
    }
    for (String path : ACCOUNT_PATHS) {
      assertGuardedIfRouted(company, "PATCH", path, routed);
    }
    assertThat(routed).containsAll(router.routed());
  }

  private void assertGuardedIfRouted(
      Company company, String method, String path, List<String> routed) throws Exception {
    HttpRequest.Builder request = request(company, method, path);
    sendAsControl(request);
    if (operations.isEmpty()) {
      return;
    }
    operations.clear();
    routed.add(path);
    HttpResponse<String> refused = send(request, null);
    assertThat(operations).as(path + " without a key").isEmpty();
    assertThat(refused.body()).as(path).contains("key-missing");
    HttpResponse<String> first = send(request, path.replaceAll("[;,]", "_"));
    HttpResponse<String> retry = send(request, path.replaceAll("[;,]", "_"));
    assertThat(operations).as(path + " and its retry").hasSize(1);
    assertThat(retry.statusCode()).isEqualTo(first.statusCode());
    assertThat(retry.headers().firstValue("Idempotent-Replayed")).contains("true");
    operations.clear();
  }
}
