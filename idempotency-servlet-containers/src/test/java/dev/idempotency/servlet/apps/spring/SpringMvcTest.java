package dev.idempotency.servlet.apps.spring;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.apps.Application;
import dev.idempotency.servlet.apps.ApplicationScenarios;
import dev.idempotency.servlet.apps.Message;
import dev.idempotency.servlet.apps.Shop;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;
import org.springframework.web.filter.CharacterEncodingFilter;
import org.springframework.web.filter.FormContentFilter;
import org.springframework.web.filter.ShallowEtagHeaderFilter;
import org.springframework.web.servlet.DispatcherServlet;

/** Controllers of Spring MVC. */
class SpringMvcTest extends ApplicationScenarios {

  @Override
  protected Application application(Shop shop) {
    var context = new AnnotationConfigWebApplicationContext();
    context.addBeanFactoryPostProcessor(beans -> beans.registerSingleton("shop", shop));
    context.register(ShopConfiguration.class);
    return new Application(
        List.of(
            new Application.Mapped(new CharacterEncodingFilter("UTF-8", true)),
            new Application.Mapped(new FormContentFilter()),
            // Not for pages: behind it, Tomcat 11 loses what is forwarded to.
            new Application.Mapped(new ShallowEtagHeaderFilter(), "/orders/*")),
        new DispatcherServlet(context),
        "/",
        true);
  }

  @Test
  void aCallableIsRecorded() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/callable").order("callable"), "callable");

    assertThat(answer.status()).isEqualTo(202);
    assertThat(answer.header("x-queue")).isEqualTo("7");
  }

  @Test
  void aFutureIsRecorded() throws Exception {
    Message order = Message.post("/orders/future").order("future");

    assertThat(assertRunsOnce(order, "future").status()).isEqualTo(200);
  }

  @Test
  void eventsAreRecordedTogether() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/events").order("events"), "events");

    assertThat(answer.header("content-type")).startsWith("text/event-stream");
    assertThat(answer.body()).contains("event:placed\n").endsWith("data:done\n\n");
  }

  @Test
  void anObjectIsBoundToTheForm() throws Exception {
    Message form = Message.post("/orders/model").form("item=model&quantity=2");

    assertThat(assertRunsOnce(form, "model").body()).contains("\"quantity\":2");
  }

  @Test
  void anInvalidOrderMayBeCorrected() throws Exception {
    Message none = Message.post("/orders").json("{\"item\":\"valid\",\"quantity\":0}");

    assertThat(send(none, "valid").status()).isEqualTo(400);
    assertRuns("valid", 0);
    assertThat(assertRunsOnce(Message.post("/orders").order("valid"), "valid").status())
        .isEqualTo(201);
  }

  @Test
  void anInvalidFormMayBeCorrected() throws Exception {
    assertThat(send(Message.post("/orders/model").form("item=&quantity=1"), "again").status())
        .isEqualTo(400);
    assertThat(
            assertRunsOnce(Message.post("/orders/model").form("item=again&quantity=1"), "again")
                .status())
        .isEqualTo(200);
  }

  /** Spring's own filter parses what the container does not. */
  @Test
  void theFormOfAPatchIsReadOnce() throws Exception {
    Message form = Message.post("/orders/form?by=web").method("PATCH").form("item=patch");

    assertThat(assertRunsOnce(form, "patch").body()).contains("\"item\":\"patch\"");
  }

  @Test
  void aStreamThatBreaksLeavesItInDoubt() throws Exception {
    Message order = Message.post("/orders/stream").order("broken-stream");

    assertThat(send(order, "broken-stream").status()).isEqualTo(500);
    assertUnknown(order, "broken-stream");
  }

  /** A client library makes up a new limit for each attempt. */
  @Test
  void filesMayComeAgainWithAnotherBoundary() throws Exception {
    Answer first = send(Message.post("/orders/files").files("one", "boundary"), "boundary");
    Answer retry = send(Message.post("/orders/files").files("two", "boundary"), "boundary");

    assertThat(first.status()).isEqualTo(200);
    assertThat(retry.header("idempotent-replayed")).isEqualTo("true");
    assertThat(retry.body()).isEqualTo(first.body());
    assertRuns("boundary", 1);
  }

  @Test
  void aRedirectIsRecorded() throws Exception {
    Answer answer =
        assertRunsOnce(Message.post("/pages/redirect").form("item=redirect"), "redirect");

    assertThat(answer.status()).isEqualTo(302);
    assertThat(answer.header("location")).endsWith("/thanks/run-1");
  }

  @Test
  void aForwardIsRecorded() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/pages/forward").form("item=forward"), "forward");

    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).isEqualTo("Thanks for forward");
  }

  @Test
  void anInterceptorRunsOnceToo() throws Exception {
    Message order = Message.post("/orders").order("interceptor");

    assertThat(send(order, "interceptor").header("x-served-by")).isEqualTo("shop");
    assertThat(send(order, "interceptor").header("x-served-by")).isEmpty();
  }
}
