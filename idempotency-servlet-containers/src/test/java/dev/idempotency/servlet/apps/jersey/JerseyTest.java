package dev.idempotency.servlet.apps.jersey;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.servlet.apps.Application;
import dev.idempotency.servlet.apps.ApplicationScenarios;
import dev.idempotency.servlet.apps.Message;
import dev.idempotency.servlet.apps.Shop;
import jakarta.servlet.Filter;
import java.util.List;
import org.glassfish.jersey.inject.hk2.AbstractBinder;
import org.glassfish.jersey.media.multipart.MultiPartFeature;
import org.glassfish.jersey.message.GZipEncoder;
import org.glassfish.jersey.server.ResourceConfig;
import org.glassfish.jersey.server.filter.EncodingFilter;
import org.glassfish.jersey.servlet.ServletContainer;
import org.junit.jupiter.api.Test;

/** Resources of Jersey. */
class JerseyTest extends ApplicationScenarios {

  @Override
  protected Application application(Shop shop) {
    ResourceConfig config =
        new ResourceConfig(
            OrderResource.class,
            Errors.SoldOut.class,
            Errors.NotJson.class,
            Errors.Printer.class,
            MultiPartFeature.class);
    EncodingFilter.enableFor(config, GZipEncoder.class);
    config.register(
        new AbstractBinder() {
          @Override
          protected void configure() {
            bind(shop).to(Shop.class);
          }
        });
    Filter readsParameters =
        (request, response, chain) -> {
          request.getParameter("language");
          chain.doFilter(request, response);
        };
    return new Application(
        List.of(new Application.Mapped(readsParameters, "/orders/fields")),
        new ServletContainer(config),
        "/*",
        false);
  }

  @Test
  void aFutureIsRecorded() throws Exception {
    Message order = Message.post("/orders/future").order("future");

    assertThat(assertRunsOnce(order, "future").status()).isEqualTo(200);
  }

  @Test
  void chunksAreRecordedTogether() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/chunks").order("chunks"), "chunks");

    assertThat(answer.body()).isEqualTo("placed\nrun-1\n");
  }

  @Test
  void aCompressedAnswerIsRecordedAsItIs() throws Exception {
    Message order = Message.post("/orders").order("zip").header("Accept-Encoding", "gzip");

    assertThat(assertRunsOnce(order, "zip").header("content-encoding")).isEqualTo("gzip");
  }

  /** Jersey then takes the form from the parameters, unless there is a body. */
  @Test
  void aFormWhoseParametersWereReadIsReadOnce() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/fields").form("item=fields"), "fields");

    assertThat(answer.body()).contains("\"item\":\"fields\"");
  }

  /** Jersey hides it from everything around it, once something was flushed. */
  @Test
  void aStreamThatBreaksIsRecordedAsTheClientGotIt() throws Exception {
    Message order = Message.post("/orders/stream").order("broken-stream");

    Answer answer = assertRunsOnce(order, "broken-stream");
    assertThat(answer.status()).isEqualTo(200);
    assertThat(answer.body()).doesNotContain("end");
  }

  @Test
  void aRedirectIsRecorded() throws Exception {
    Answer answer = assertRunsOnce(Message.post("/orders/redirect").order("redirect"), "redirect");

    assertThat(answer.status()).isEqualTo(303);
    assertThat(answer.header("location")).isEqualTo("http://host/thanks/run-1");
  }

  /** Jersey answers it by sendError. */
  @Test
  void anErrorWithoutABodyGetsTheContainersPage() throws Exception {
    assertThat(assertRunsOnce(Message.post("/orders/conflict").order("conflict"), "conflict"))
        .satisfies(answer -> assertThat(answer.status()).isEqualTo(409))
        .satisfies(answer -> assertThat(answer.header("content-type")).startsWith("text/html"));
  }
}
