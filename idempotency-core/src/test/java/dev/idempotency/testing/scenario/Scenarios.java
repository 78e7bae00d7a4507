package dev.idempotency.testing.scenario;

import static dev.idempotency.testing.scenario.Stage.bytes;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.Execution;
import dev.idempotency.OutcomeResolver;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.scenario.Call.Route;
import dev.idempotency.testing.scenario.Reply.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;

/** The list. Each scenario says what a client sees, and how often the application ran. */
public final class Scenarios {

  private static final int DUPLICATES = 8;

  /** Not every transport has a cap of its own for requests. */
  public static final Scenario REQUEST_TOO_LARGE =
      new Scenario("a request too large is refused", Scenarios::requestTooLarge);

  private static final List<Scenario> ALL =
      List.of(
          new Scenario("first call runs, its retry is answered alike", Scenarios::replay),
          new Scenario("an empty result is a result", Scenarios::emptyResult),
          new Scenario("bytes come back as they were", Scenarios::everyByte),
          new Scenario("another request with the key is refused", Scenarios::reuse),
          new Scenario("another request is refused while in flight", Scenarios::reuseInFlight),
          new Scenario("a duplicate in flight is told to come back", Scenarios::inFlight),
          new Scenario("duplicates wait and get the first one's bytes", Scenarios::waiting),
          new Scenario("a waiter runs if the first did nothing", Scenarios::waiterRuns),
          new Scenario("of many at once one runs", Scenarios::stampede),
          new Scenario("callers do not see each other's results", Scenarios::callers),
          new Scenario("no key where one is required", Scenarios::keyMissing),
          new Scenario("a malformed key", Scenarios::keyMalformed),
          new Scenario("no key where none is required runs each time", Scenarios::unprotected),
          new Scenario("a final refusal is recorded", Scenarios::declined),
          new Scenario("turned away, the retry runs", Scenarios::turnedAway),
          new Scenario("turned away, a corrected request runs", Scenarios::corrected),
          new Scenario("the handler throws: outcome unknown", Scenarios::thrown),
          new Scenario("the handler throws an Error: outcome unknown", Scenarios::error),
          new Scenario("the handler breaks after it let go: outcome unknown", Scenarios::broken),
          new Scenario("in doubt, the resolver knows the result", Scenarios::resolved),
          new Scenario("in doubt, the resolver knows that nothing ran", Scenarios::notExecuted),
          new Scenario("in doubt, an operator frees the key", Scenarios::operatorFrees),
          new Scenario("in doubt, an operator gives the result", Scenarios::operatorResolves),
          new Scenario("answered on another thread", Scenarios::async),
          new Scenario("the client goes, its retry gets the result", Scenarios::clientGone),
          new Scenario("the client goes, no answer comes: outcome unknown", Scenarios::lost),
          new Scenario("a waiting client goes, nothing else changes", Scenarios::waiterGone),
          new Scenario("a waiting client goes as its turn comes", Scenarios::turnMissed),
          new Scenario("a result too large to keep is never run again", Scenarios::notKept),
          REQUEST_TOO_LARGE,
          new Scenario("store down: nothing runs", Scenarios::storeDown),
          new Scenario("the claim's answer is lost: nothing runs", Scenarios::claimLost),
          new Scenario("store down at the end: answered, and kept later", Scenarios::unrecorded),
          new Scenario("the handler sees its execution", Scenarios::execution));

  private Scenarios() {}

  /** All, in the order of the tables in the documentation. */
  public static List<Scenario> all() {
    return ALL;
  }

  private static void replay(Stage stage) throws Exception {
    stage.countingHandler();
    Reply first = stage.ask(stage.call("pay"));
    expect(first, Kind.RESULT, false);
    for (int retry = 0; retry < 3; retry++) {
      Reply again = stage.ask(stage.call("pay"));
      expect(again, Kind.RESULT, true);
      assertThat(again.result()).isEqualTo(first.result());
    }
    assertThat(stage.runs()).isEqualTo(1);
    assertThat(stage.ask(Call.with(stage.key("other"), "pay")).text()).isEqualTo("result 2");
  }

  private static void emptyResult(Stage stage) throws Exception {
    stage.handler(work -> work.answer(new byte[0]));
    expect(stage.ask(stage.call("pay")), Kind.RESULT, false);
    Reply again = stage.ask(stage.call("pay"));
    expect(again, Kind.RESULT, true);
    assertThat(again.result()).isEmpty();
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void everyByte(Stage stage) throws Exception {
    byte[] all = new byte[40_000];
    for (int i = 0; i < all.length; i++) {
      all[i] = (byte) i;
    }
    stage.handler(work -> work.answer(work.body()));
    Call call = stage.call("").saying(all);
    assertThat(stage.ask(call).result()).isEqualTo(all);
    Reply again = stage.ask(call);
    expect(again, Kind.RESULT, true);
    assertThat(again.result()).isEqualTo(all);
    // The whole body counts, not its beginning.
    byte[] lastByteDiffers = all.clone();
    lastByteDiffers[all.length - 1]++;
    expect(stage.ask(call.saying(lastByteDiffers)), Kind.KEY_REUSED, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void reuse(Stage stage) throws Exception {
    stage.countingHandler();
    stage.ask(stage.call("pay 1"));
    expect(stage.ask(stage.call("pay 2")), Kind.KEY_REUSED, false);
    expect(stage.ask(stage.call("pay 1")), Kind.RESULT, true);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void reuseInFlight(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    for (Route route : List.of(Route.REFUSE, Route.WAIT)) {
      Call call = Call.with(stage.key(route.name()), "pay 1").on(route);
      CompletableFuture<Reply> first = stage.send(call);
      Work work = held.next();
      expect(stage.ask(call.saying(bytes("pay 2"))), Kind.KEY_REUSED, false);
      work.answer(bytes("paid"));
      expect(stage.reply(first), Kind.RESULT, false);
    }
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static void inFlight(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    CompletableFuture<Reply> first = stage.send(stage.call("pay"));
    Work work = held.next();
    Reply duplicate = stage.ask(stage.call("pay"));
    expect(duplicate, Kind.IN_FLIGHT, false);
    assertThat(duplicate.retryAfter()).isPresent();
    assertThat(first).isNotDone();

    work.answer(bytes("paid"));
    assertThat(stage.reply(first).text()).isEqualTo("paid");
    Reply later = stage.ask(stage.call("pay"));
    expect(later, Kind.RESULT, true);
    assertThat(later.text()).isEqualTo("paid");
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void waiting(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    List<CompletableFuture<Reply>> duplicates = duplicates(stage, call);
    work.answer(bytes("paid once"));
    expect(stage.reply(first), Kind.RESULT, false);
    for (CompletableFuture<Reply> duplicate : duplicates) {
      expect(stage.reply(duplicate), Kind.RESULT, true);
      assertThat(stage.reply(duplicate).text()).isEqualTo("paid once");
    }
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void waiterRuns(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    List<CompletableFuture<Reply>> duplicates = duplicates(stage, call);
    work.turnAway();
    expect(stage.reply(first), Kind.TURNED_AWAY, false);
    held.next().answer(bytes("second try"));
    long notReplayed = 0;
    for (CompletableFuture<Reply> duplicate : duplicates) {
      Reply reply = stage.reply(duplicate);
      assertThat(reply.kind()).isEqualTo(Kind.RESULT);
      assertThat(reply.text()).isEqualTo("second try");
      notReplayed += reply.replayed() ? 0 : 1;
    }
    assertThat(notReplayed).isEqualTo(1);
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static List<CompletableFuture<Reply>> duplicates(Stage stage, Call call) {
    List<CompletableFuture<Reply>> duplicates = new ArrayList<>();
    for (int i = 0; i < DUPLICATES; i++) {
      duplicates.add(stage.send(call));
    }
    stage.until("all duplicates wait", () -> stage.engine().waiters() == DUPLICATES);
    return duplicates;
  }

  private static void stampede(Stage stage) throws Exception {
    stage.countingHandler();
    Call call = stage.call("pay").on(Route.WAIT);
    List<CompletableFuture<Reply>> all = new ArrayList<>();
    for (int i = 0; i < 2 * DUPLICATES; i++) {
      all.add(stage.send(call));
    }
    for (CompletableFuture<Reply> each : all) {
      assertThat(stage.reply(each).text()).isEqualTo("result 1");
    }
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void callers(Stage stage) throws Exception {
    stage.handler(work -> work.answer(bytes("run " + stage.runs())));
    Call call = stage.call("pay");
    assertThat(stage.ask(call.by("ann")).text()).isEqualTo("run 1");
    assertThat(stage.ask(call.by("bob")).text()).isEqualTo("run 2");
    assertThat(stage.ask(call).text()).isEqualTo("run 3");
    assertThat(stage.ask(call.by("ann")).text()).isEqualTo("run 1");
    assertThat(stage.ask(call.by("bob")).text()).isEqualTo("run 2");
    assertThat(stage.runs()).isEqualTo(3);
  }

  private static void keyMissing(Stage stage) throws Exception {
    stage.countingHandler();
    expect(stage.ask(stage.call("pay").withoutKey()), Kind.KEY_MISSING, false);
    assertThat(stage.runs()).isZero();
  }

  private static void keyMalformed(Stage stage) throws Exception {
    stage.countingHandler();
    String longest = stage.key("").concat("k".repeat(255)).substring(0, 255);
    expect(stage.ask(Call.with(longest + "k", "pay")), Kind.KEY_MALFORMED, false);
    assertThat(stage.runs()).isZero();
    expect(stage.ask(Call.with(longest, "pay")), Kind.RESULT, false);
  }

  private static void unprotected(Stage stage) throws Exception {
    stage.countingHandler();
    Call call = stage.call("pay").on(Route.OPTIONAL);
    assertThat(stage.ask(call.withoutKey()).text()).isEqualTo("result 1");
    assertThat(stage.ask(call.withoutKey()).text()).isEqualTo("result 2");
    assertThat(stage.ask(call).text()).isEqualTo("result 3");
    expect(stage.ask(call), Kind.RESULT, true);
    assertThat(stage.runs()).isEqualTo(3);
  }

  private static void declined(Stage stage) throws Exception {
    stage.handler(Work::decline);
    expect(stage.ask(stage.call("pay")), Kind.DECLINED, false);
    expect(stage.ask(stage.call("pay")), Kind.DECLINED, true);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void turnedAway(Stage stage) throws Exception {
    stage.handler(Work::turnAway);
    expect(stage.ask(stage.call("pay")), Kind.TURNED_AWAY, false);
    stage.countingHandler();
    expect(stage.ask(stage.call("pay")), Kind.RESULT, false);
    expect(stage.ask(stage.call("pay")), Kind.RESULT, true);
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static void corrected(Stage stage) throws Exception {
    stage.handler(Work::turnAway);
    expect(stage.ask(stage.call("wrong")), Kind.TURNED_AWAY, false);
    stage.countingHandler();
    expect(stage.ask(stage.call("right")), Kind.RESULT, false);
    expect(stage.ask(stage.call("wrong")), Kind.KEY_REUSED, false);
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static void thrown(Stage stage) throws Exception {
    inDoubt(
        stage,
        work -> {
          throw new IllegalStateException("on purpose");
        });
  }

  private static void error(Stage stage) throws Exception {
    inDoubt(
        stage,
        work -> {
          throw new AssertionError("on purpose");
        });
  }

  private static void broken(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    CompletableFuture<Reply> first = stage.send(stage.call("pay"));
    held.next().fail();
    expect(stage.reply(first), Kind.FAILED, false);
    expect(stage.ask(stage.call("pay")), Kind.OUTCOME_UNKNOWN, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  /** Its key is held from now on. */
  private static void inDoubt(Stage stage, Transport.Handler handler) throws Exception {
    stage.handler(handler);
    expect(stage.ask(stage.call("pay")), Kind.FAILED, false);
    stage.countingHandler();
    expect(stage.ask(stage.call("pay")), Kind.OUTCOME_UNKNOWN, false);
    expect(stage.ask(stage.call("pay else")), Kind.KEY_REUSED, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void resolved(Stage stage) throws Exception {
    broken(stage);
    stage.truth(
        new OutcomeResolver.Resolution.Completed(stage.server().outcomeOf(bytes("it was paid"))));
    Reply retry = stage.ask(stage.call("pay"));
    expect(retry, Kind.RESULT, true);
    assertThat(retry.text()).isEqualTo("it was paid");
    stage.truth(new OutcomeResolver.Resolution.Unknown());
    assertThat(stage.ask(stage.call("pay")).text()).isEqualTo("it was paid");
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void notExecuted(Stage stage) throws Exception {
    broken(stage);
    stage.truth(new OutcomeResolver.Resolution.NotExecuted());
    stage.countingHandler();
    expect(stage.ask(stage.call("pay")), Kind.RESULT, false);
    expect(stage.ask(stage.call("pay")), Kind.RESULT, true);
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static void operatorFrees(Stage stage) throws Exception {
    broken(stage);
    operator(stage, new OutcomeResolver.Resolution.NotExecuted());
    stage.countingHandler();
    expect(stage.ask(stage.call("pay")), Kind.RESULT, false);
    assertThat(stage.runs()).isEqualTo(2);
  }

  private static void operatorResolves(Stage stage) throws Exception {
    broken(stage);
    operator(
        stage,
        new OutcomeResolver.Resolution.Completed(stage.server().outcomeOf(bytes("as booked"))));
    assertThat(stage.ask(stage.call("pay")).text()).isEqualTo("as booked");
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void operator(Stage stage, OutcomeResolver.Resolution resolution) {
    assertThat(stage.engine().admin().resolve(stage.server().keyOf(stage.call("pay")), resolution))
        .isTrue();
  }

  private static void async(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    CompletableFuture<Reply> first = stage.send(stage.call("pay"));
    held.next().answer(bytes("later"));
    expect(stage.reply(first), Kind.RESULT, false);
    Reply again = stage.ask(stage.call("pay"));
    expect(again, Kind.RESULT, true);
    assertThat(again.text()).isEqualTo("later");
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void clientGone(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    first.cancel(true);
    // Its connection breaks now or while the answer is written: both must end alike.
    work.answer(bytes("paid, unseen"));
    Reply retry = stage.ask(call);
    expect(retry, Kind.RESULT, true);
    assertThat(retry.text()).isEqualTo("paid, unseen");
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void lost(Stage stage) throws Exception {
    BlockingQueue<Work> started = new LinkedBlockingQueue<>();
    stage.handler(
        work -> {
          work.detach(Duration.ofMillis(300));
          started.add(work);
        });
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    assertThat(started.poll(20, SECONDS)).isNotNull();
    first.cancel(true);
    expect(stage.ask(call), Kind.OUTCOME_UNKNOWN, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void waiterGone(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    List<CompletableFuture<Reply>> duplicates = duplicates(stage, call);
    duplicates.get(0).cancel(true);
    work.answer(bytes("paid"));
    assertThat(stage.reply(first).text()).isEqualTo("paid");
    for (CompletableFuture<Reply> duplicate : duplicates.subList(1, DUPLICATES)) {
      assertThat(stage.reply(duplicate).text()).isEqualTo("paid");
    }
    stage.until("nobody waits any more", () -> stage.engine().waiters() == 0);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void turnMissed(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    CompletableFuture<Reply> waiter = stage.send(call);
    stage.until("the duplicate waits", () -> stage.engine().waiters() == 1);
    stage.handler(next -> next.answer(bytes("done")));
    waiter.cancel(true);
    work.turnAway();
    expect(stage.reply(first), Kind.TURNED_AWAY, false);
    // Whoever had the turn, or had it taken away: the key is not stuck, and nothing runs twice.
    Reply retry = stage.ask(call);
    assertThat(retry.kind()).isIn(Kind.RESULT, Kind.OUTCOME_UNKNOWN);
    assertThat(stage.ask(call).kind()).isEqualTo(retry.kind());
    assertThat(stage.runs()).isLessThanOrEqualTo(2);
  }

  private static void notKept(Stage stage) throws Exception {
    byte[] large = new byte[Stage.MAX_OUTCOME + 1];
    Arrays.fill(large, (byte) 'x');
    stage.handler(work -> work.answer(large));
    Reply first = stage.ask(stage.call("report"));
    expect(first, Kind.RESULT, false);
    assertThat(first.result()).isEqualTo(large);
    for (int retry = 0; retry < 2; retry++) {
      assertThat(stage.ask(stage.call("report")).kind()).isEqualTo(Kind.RESULT_NOT_KEPT);
    }
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void requestTooLarge(Stage stage) throws Exception {
    stage.countingHandler();
    Call call = stage.call("").on(Route.SMALL);
    expect(
        stage.ask(call.saying(new byte[10 * Transport.SMALL_REQUEST])),
        Kind.REQUEST_TOO_LARGE,
        false);
    assertThat(stage.runs()).isZero();
    // Nothing was claimed: the key is free.
    expect(stage.ask(call.saying(bytes("small"))), Kind.RESULT, false);
  }

  private static void storeDown(Stage stage) throws Exception {
    stage.countingHandler();
    stage.fault(FlakyStore.Fault.REQUEST_LOST);
    Reply down = stage.ask(stage.call("pay"));
    expect(down, Kind.STORE_UNAVAILABLE, false);
    assertThat(down.retryAfter()).isPresent();
    Call waiting = Call.with(stage.key("waiting"), "pay").on(Route.WAIT);
    expect(stage.ask(waiting), Kind.STORE_UNAVAILABLE, false);
    assertThat(stage.runs()).isZero();

    stage.fault(FlakyStore.Fault.NONE);
    expect(stage.ask(waiting), Kind.RESULT, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void claimLost(Stage stage) throws Exception {
    stage.countingHandler();
    stage.fault(FlakyStore.Fault.REPLY_LOST);
    Call call = stage.call("pay").on(Route.WAIT);
    expect(stage.ask(call), Kind.STORE_UNAVAILABLE, false);
    assertThat(stage.runs()).isZero();

    // The claim that may stand is given back in the background; then a retry runs.
    stage.fault(FlakyStore.Fault.NONE);
    expect(stage.ask(call), Kind.RESULT, false);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void unrecorded(Stage stage) throws Exception {
    Stage.Held held = stage.hold();
    Call call = stage.call("pay").on(Route.WAIT);
    CompletableFuture<Reply> first = stage.send(call);
    Work work = held.next();
    stage.fault(FlakyStore.Fault.REQUEST_LOST);
    work.answer(bytes("paid in the dark"));
    assertThat(stage.reply(first).text()).isEqualTo("paid in the dark");
    assertThat(stage.engine().pendingWrites()).isEqualTo(1);

    stage.fault(FlakyStore.Fault.NONE);
    Reply retry = stage.ask(call);
    expect(retry, Kind.RESULT, true);
    assertThat(retry.text()).isEqualTo("paid in the dark");
    stage.until("it is stored", () -> stage.engine().pendingWrites() == 0);
    assertThat(stage.runs()).isEqualTo(1);
  }

  private static void execution(Stage stage) throws Exception {
    Call call = stage.call("pay").by("ann");
    List<String> downstream = new ArrayList<>();
    stage.handler(
        work -> {
          Execution execution = work.execution().orElseThrow();
          downstream.add(execution.downstreamKey("charge"));
          if (execution.attempt() == 1) {
            work.turnAway();
          } else {
            work.answer(
                bytes(execution.attempt() + " " + execution.key().equals(key(stage, call))));
          }
        });
    expect(stage.ask(call), Kind.TURNED_AWAY, false);
    assertThat(stage.ask(call).text()).isEqualTo("2 true");
    assertThat(downstream).hasSize(2);
    assertThat(downstream.get(1)).isEqualTo(downstream.get(0));
  }

  private static IdempotencyKey key(Stage stage, Call call) {
    return stage.server().keyOf(call);
  }

  private static void expect(Reply reply, Kind kind, boolean replayed) {
    assertThat(reply.kind()).as("%s", reply).isEqualTo(kind);
    assertThat(reply.replayed()).as("%s", reply).isEqualTo(replayed);
  }
}
