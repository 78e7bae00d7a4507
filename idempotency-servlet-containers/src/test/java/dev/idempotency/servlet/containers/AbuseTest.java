package dev.idempotency.servlet.containers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.idempotency.servlet.containers.Abuser.Abuse;
import dev.idempotency.servlet.containers.Abuser.Size;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One caller makes a server with a small heap hold as much as he can: during and after, a plain
 * request and the payment of another caller are answered. Without the bound the same traffic ends
 * the server.
 */
@Timeout(300)
class AbuseTest {

  private static void abuse(AbusedProcess server, Size size, Abuse abuse) throws Exception {
    server.serves("before " + abuse.title);
    new Abuser(server, size, true, when -> server.serves(when + ": " + abuse.title)).abuse(abuse);
    server.serves("after " + abuse.title);
    assertThat(server.isAlive()).isTrue();
  }

  @Test
  void othersAreServedWhateverOneCallerSends() throws Exception {
    assumeTrue(
        Container.nameOfThisRun().equals("Tomcat 11"), "the others in the soak profile, for time");
    try (AbusedProcess server =
        new AbusedProcess(Size.SHORT.heapMib(), AbusedServer.Mode.BOUNDED)) {
      for (Abuse abuse : EnumSet.complementOf(EnumSet.of(Abuse.PLACES, Abuse.KEYS_OF_OTHERS))) {
        abuse(server, Size.SHORT, abuse);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  @Tag("soak")
  void othersAreServedInFullSize(Abuse abuse) throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.BOUNDED)) {
      abuse(server, Size.WHOLE, abuse);
    }
  }

  /** The control: it is the bound that keeps the server alive. */
  @Test
  @Tag("soak")
  void withoutTheBoundTheSameAnswersEndTheServer() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.SHORT.heapMib(), AbusedServer.Mode.UNBOUNDED)) {
      Abuser abuser = new Abuser(server, Size.SHORT, false, when -> {});
      server.slowLink();
      for (int sent = 0; sent < 500 && server.isAlive(); sent += 100) {
        abuser.large("/pending", 100).forEach(Abuser::status);
      }
      assertThat(server.hasDied()).isTrue();
    }
  }

  /** The control: the same traffic without keys, which the container itself holds. */
  @Test
  @Tag("soak")
  void withoutKeysTheSameTrafficIsServed() throws Exception {
    try (AbusedProcess server =
        new AbusedProcess(Size.WHOLE.heapMib(), AbusedServer.Mode.UNBOUNDED)) {
      List<CompletableFuture<HttpResponse<Integer>>> calls = new ArrayList<>();
      for (int i = 0; i < Size.WHOLE.answers(); i++) {
        calls.add(
            server.send(
                server
                    .request("/large")
                    .header("X-Together", Integer.toString(Size.WHOLE.answers()))
                    .POST(BodyPublishers.ofString("x"))));
      }
      assertThat(new Abuser(server, Size.WHOLE, true, server::serves).statuses(calls))
          .containsOnly(200);
    }
  }
}
