package dev.idempotency.servlet.containers;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.servlet.containers.Container.Mapped;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.StoreException;
import jakarta.servlet.Filter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.cors.UrlBasedCorsConfigurationSource;
import org.springframework.web.filter.CorsFilter;

/**
 * What a browser's script sees of an answer: with a CORS filter in front all of it, and with a
 * framework behind that adds the fields what that framework has answered to the same origin.
 */
class CorsInCompanyTest extends InCompany {

  private static final String SHOP = CrossOriginShop.ORIGIN;
  private static final String PARTNER = "https://partner.example";

  /** Fetch standard, "CORS-safelisted response-header name", and those of the protocol itself. */
  private static final Set<String> NEED_NOT_BE_EXPOSED =
      Set.of(
          "cache-control",
          "content-language",
          "content-length",
          "content-type",
          "expires",
          "last-modified",
          "pragma",
          "access-control-allow-credentials",
          "access-control-allow-origin",
          "access-control-expose-headers",
          // Of the container and of HTTP, with a key or without.
          "connection",
          "date",
          "keep-alive",
          "server",
          "transfer-encoding",
          "vary");

  private final CountDownLatch mayEnd = new CountDownLatch(1);
  private final CountDownLatch started = new CountDownLatch(1);
  private volatile boolean storeFails;

  private final IdempotencyEngine breakable =
      IdempotencyEngine.create(failing(store), IdempotencyConfig.defaults());

  private Company company;

  private IdempotencyStore failing(IdempotencyStore to) {
    return (IdempotencyStore)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {IdempotencyStore.class},
            (proxy, method, arguments) -> {
              if (storeFails && method.getName().equals("claim")) {
                throw new StoreException(StoreException.Reason.UNAVAILABLE, "made up");
              }
              try {
                return method.invoke(to, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  @AfterEach
  void closeEngine() {
    mayEnd.countDown();
    breakable.close();
  }

  /** Every method needs a key, if it was only looked at. */
  private void serve(CrossOriginShop shop, List<Filter> inFront) throws Exception {
    List<Mapped> filters = new ArrayList<>();
    inFront.forEach(each -> filters.add(Mapped.asDocumented(each)));
    filters.add(
        Mapped.asDocumented(
            IdempotencyFilter.builder(breakable)
                .oneScopeForAllCallers()
                .describedBy(URI.create("https://docs.example/problems/"))
                .route("*", WAITING, RoutePolicy.required())
                .route("*", "/**", RoutePolicy.required().rejectInFlight())
                .build()));
    company = serve(Container.Deployment.of(filters, shop.servlet(this::run)).at(shop.pattern()));
  }

  private String run(String asked) {
    String run = "run " + runs.incrementAndGet();
    if (asked.equals("slow")) {
      started.countDown();
      try {
        assertThat(mayEnd.await(20, SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    } else if (asked.equals("break")) {
      throw new IllegalStateException("made up");
    }
    return run;
  }

  /** Spring's, as the documentation has it: it exposes what the documentation lists. */
  private static Filter corsFilter() throws Exception {
    CorsConfiguration cors = new CorsConfiguration();
    cors.setAllowedOrigins(List.of(SHOP, PARTNER));
    cors.setAllowedMethods(List.of("POST"));
    cors.setAllowedHeaders(List.of("Content-Type", "Idempotency-Key"));
    cors.setExposedHeaders(exposedByTheGuide());
    cors.setAllowCredentials(true);
    UrlBasedCorsConfigurationSource source = new UrlBasedCorsConfigurationSource();
    source.registerCorsConfiguration("/**", cors);
    return new CorsFilter(source);
  }

  private static List<String> exposedByTheGuide() throws Exception {
    Matcher line =
        Pattern.compile("(?m)^Access-Control-Expose-Headers: (.+)$")
            .matcher(Files.readString(Path.of("../docs/http.md")));
    assertThat(line.find()).isTrue();
    return List.of(line.group(1).split(", "));
  }

  private HttpRequest.Builder from(String origin, String path, String body) {
    return Routed.request(company, "POST", path)
        .POST(BodyPublishers.ofString(body))
        .header("Content-Type", "text/plain")
        .header("Origin", origin);
  }

  private HttpRequest.Builder preflight(String path) {
    return Routed.request(company, "OPTIONS", path)
        .header("Origin", SHOP)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "content-type,idempotency-key");
  }

  private static String lowerCase(String name) {
    return name.toLowerCase(Locale.ROOT);
  }

  private static String allowed(HttpResponse<?> response) {
    return String.join("|", response.headers().allValues("Access-Control-Allow-Origin"));
  }

  /** One answer of each kind, to this origin. */
  private Map<String, HttpResponse<String>> answersTo(String origin) throws Exception {
    Map<String, HttpResponse<String>> answers = new LinkedHashMap<>();
    answers.put("201 run", Routed.send(from(origin, TRANSFERS, "a"), "k"));
    answers.put("201 replay", Routed.send(from(origin, TRANSFERS, "a"), "k"));
    answers.put("422 key-reused", Routed.send(from(origin, TRANSFERS, "b"), "k"));
    answers.put("400 key-missing", Routed.send(from(origin, TRANSFERS, "a"), null));
    answers.put("400 key-malformed", Routed.send(from(origin, TRANSFERS, "a"), "\"k"));
    HttpRequest.Builder breaks = from(origin, TRANSFERS, "break");
    Routed.send(breaks, "broken");
    answers.put("409 outcome-unknown", Routed.send(breaks, "broken"));
    HttpRequest.Builder slow = from(origin, TRANSFERS, "slow");
    CompletableFuture<HttpResponse<String>> first = Routed.sendAsync(slow, "slow");
    assertThat(started.await(20, SECONDS)).isTrue();
    answers.put("409 in-flight", Routed.send(slow, "slow"));
    HttpRequest.Builder waiting = from(origin, WAITING, "slow");
    CompletableFuture<HttpResponse<String>> firstOfTwo = Routed.sendAsync(waiting, "waited");
    until("the first of two runs", () -> runs.get() == 4);
    CompletableFuture<HttpResponse<String>> waited = Routed.sendAsync(waiting, "waited");
    until("its duplicate waits", () -> breakable.waiters() == 1);
    mayEnd.countDown();
    answers.put("201 run", first.get(20, SECONDS));
    answers.put("201 run", firstOfTwo.get(20, SECONDS));
    answers.put("201 replay, waited for", waited.get(20, SECONDS));
    storeFails = true;
    answers.put("503 store-unavailable", Routed.send(from(origin, TRANSFERS, "a"), "other"));
    storeFails = false;
    return answers;
  }

  private static void assertIsOfItsKind(String kind, HttpResponse<String> answer) {
    assertThat(answer.statusCode()).as(kind).isEqualTo(Integer.parseInt(kind.substring(0, 3)));
    String name = kind.substring(4).split(",")[0];
    if (name.equals("run") || name.equals("replay")) {
      assertThat(answer.body()).as(kind).startsWith("run");
      assertThat(answer.headers().firstValue("Idempotent-Replayed").isPresent())
          .as(kind)
          .isEqualTo(name.equals("replay"));
    } else {
      assertThat(answer.body()).as(kind).contains(":" + name);
    }
  }

  @ParameterizedTest
  @EnumSource
  void withACorsFilterInFrontAScriptSeesEveryAnswerAndAllOfOurFields(CrossOriginShop shop)
      throws Exception {
    serve(shop, List.of(corsFilter()));

    HttpResponse<String> preflight = Routed.send(preflight(TRANSFERS), null);
    assertThat(preflight.statusCode()).isEqualTo(200);
    assertThat(allowed(preflight)).isEqualTo(SHOP);

    Set<String> fields = new TreeSet<>();
    answersTo(PARTNER)
        .forEach(
            (kind, answer) -> {
              assertIsOfItsKind(kind, answer);
              // One value: a browser takes two, even of the same origin, for a network error.
              assertThat(allowed(answer)).as(kind).isEqualTo(PARTNER);
              assertThat(answer.headers().allValues("Access-Control-Allow-Credentials"))
                  .as(kind)
                  .containsExactly("true");
              answer.headers().map().keySet().forEach(name -> fields.add(lowerCase(name)));
            });
    fields.removeAll(NEED_NOT_BE_EXPOSED);
    assertThat(exposedByTheGuide())
        .extracting(CorsInCompanyTest::lowerCase)
        .containsAll(fields)
        .contains("idempotent-unprotected");
    assertThat(fields).contains("idempotent-replayed", "retry-after", "link");

    HttpResponse<String> replayedToAnother = Routed.send(from(SHOP, TRANSFERS, "a"), "k");
    assertIsOfItsKind("201 replay", replayedToAnother);
    assertThat(allowed(replayedToAnother)).isEqualTo(SHOP);
  }

  @ParameterizedTest
  @EnumSource
  void fieldsOfAFrameworkBehindAreReplayedToTheOriginThatTheyAllow(CrossOriginShop shop)
      throws Exception {
    serve(shop, List.of());

    HttpResponse<String> preflight = Routed.send(preflight(TRANSFERS), null);
    assertThat(preflight.statusCode()).isEqualTo(200);
    assertThat(allowed(preflight)).isEqualTo(SHOP);
    assertThat(runs).hasValue(0);

    answersTo(SHOP)
        .forEach(
            (kind, answer) -> {
              assertIsOfItsKind(kind, answer);
              assertThat(allowed(answer)).as(kind).isEqualTo(kind.startsWith("201") ? SHOP : "");
            });
    HttpResponse<String> toAnother = Routed.send(from(PARTNER, TRANSFERS, "a"), "k");
    assertIsOfItsKind("201 replay", toAnother);
    assertThat(allowed(toAnother)).isEmpty();
  }
}
