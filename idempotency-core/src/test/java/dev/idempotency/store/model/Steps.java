package dev.idempotency.store.model;

import dev.idempotency.store.model.Rules.Resolver;
import dev.idempotency.store.model.State.Answer;
import dev.idempotency.store.model.State.At;
import dev.idempotency.store.model.State.Entry;
import dev.idempotency.store.model.State.Message;
import dev.idempotency.store.model.State.Owner;
import dev.idempotency.store.model.State.Resolution;
import dev.idempotency.store.model.State.Stands;
import dev.idempotency.store.model.State.Verb;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** All that can happen next. */
final class Steps {

  /** One thing that happens. */
  record Step(String label, State to) {}

  private final Rules rules;
  private final ServerModel server;
  private final StoreSteps storeSteps;

  Steps(Rules rules) {
    this.rules = rules;
    this.server = new ServerModel(rules);
    this.storeSteps = new StoreSteps(rules);
  }

  State initial() {
    Owner idle =
        new Owner(At.IDLE, 0, 0, false, 0, rules.renewals(), 0, Resolution.NONE, null, null, null);
    return new State(
        null,
        null,
        false,
        Collections.nCopies(rules.owners(), idle),
        0,
        0,
        0,
        0,
        0,
        State.FREE,
        false,
        false,
        false,
        false,
        false,
        0,
        State.Outage.NONE,
        false,
        false);
  }

  List<Step> from(State state) {
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < state.owners().size(); i++) {
      work(state, i, steps);
      messages(state, i, steps);
      time(state, i, steps);
    }
    steps.addAll(storeSteps.from(state));
    return steps;
  }

  private static Draft add(List<Step> steps, String label, Draft to) {
    steps.add(new Step(label, to.toState()));
    return to;
  }

  private static String name(int i) {
    return String.valueOf((char) ('A' + i));
  }

  private void work(State state, int i, List<Step> steps) {
    Owner owner = state.owners().get(i);
    switch (owner.at()) {
      case IDLE -> {
        // Owners are alike until they start: they start in order.
        if (i == 0 || state.owners().get(i - 1).at() != At.IDLE) {
          add(
              steps,
              name(i) + " sends its claim",
              new Draft(state).set(i, owner.claims(token(i), 0, Resolution.NONE, rules.resends())));
        }
      }
      case DECIDING -> decide(state, i, owner, steps);
      case RUNNING -> {
        Draft known = new Draft(state);
        known.set(i, affect(known, i, owner).at(At.EFFECT_DONE));
        add(steps, name(i) + "'s effect commits", known);
        Draft unknown = new Draft(state);
        unknown.set(i, affect(unknown, i, owner).at(At.IN_DOUBT));
        add(steps, name(i) + "'s effect commits, and it does not know", unknown);
        add(
            steps,
            name(i) + "'s effect fails, and it does not know",
            new Draft(state).set(i, owner.at(At.IN_DOUBT)));
        add(
            steps,
            name(i) + " does nothing and releases",
            new Draft(state).set(i, owner.sends(At.LETTING_GO, Verb.RELEASE, rules.resends())));
      }
      case EFFECT_DONE ->
          add(
              steps,
              name(i) + " sends its completion",
              new Draft(state).set(i, owner.sends(At.COMPLETING, Verb.COMPLETE, rules.resends())));
      case PENDING -> {
        if (state.outage() != State.Outage.AWAY) {
          add(
              steps,
              name(i) + " sends its outcome again",
              new Draft(state).set(i, owner.sends(At.COMPLETING, Verb.COMPLETE, rules.resends())));
        }
      }
      case IN_DOUBT -> add(steps, name(i) + " settles its doubt", settleDoubt(state, i, owner));
      default -> {}
    }
    if (owner.at().renews() && owner.renewals() > 0 && owner.renewal() == null) {
      add(steps, name(i) + " sends a renewal", new Draft(state).set(i, owner.sendsRenewal()));
    }
  }

  private static int token(int i) {
    return 2 * i;
  }

  private Owner affect(Draft world, int i, Owner owner) {
    if (rules.guarded() && world.effect != 0) {
      return owner.withOutcome(world.effect);
    }
    world.effects++;
    world.effect = world.effect == 0 ? i + 1 : world.effect;
    return owner.withOutcome(i + 1);
  }

  private void decide(State state, int i, Owner owner, List<Step> steps) {
    Resolution resolution = resolve(state, i);
    if (resolution == Resolution.UNKNOWN
        && state.outage() == State.Outage.BACK
        && state.endedInOutage()
        && !rules.has(Flaw.NO_GRACE_AFTER_AN_OUTAGE)) {
      add(steps, name(i) + " is told in flight", new Draft(state).set(i, owner.at(At.DONE)));
      return;
    }
    if (resolution == Resolution.UNKNOWN && !rules.reexecutes()) {
      add(steps, name(i) + " holds the abandoned key", new Draft(state).set(i, owner.at(At.DONE)));
      return;
    }
    Owner informed = resolution == Resolution.COMPLETED ? owner.withOutcome(state.effect()) : owner;
    add(
        steps,
        name(i) + " resolves " + resolution + " and sends its takeover",
        new Draft(state)
            .set(i, informed.claims(token(i) + 1, owner.fence(), resolution, rules.resends())));
  }

  private Resolution resolve(State state, int asking) {
    if (rules.resolver() == Resolver.NONE) {
      return Resolution.UNKNOWN;
    }
    if (state.effect() != 0) {
      return Resolution.COMPLETED;
    }
    boolean stillRuns = false;
    for (int i = 0; i < state.owners().size(); i++) {
      stillRuns |= i != asking && state.owners().get(i).at() == At.RUNNING;
    }
    return stillRuns && rules.resolver() == Resolver.TRUTHFUL
        ? Resolution.UNKNOWN
        : Resolution.NOT_EXECUTED;
  }

  private Draft settleDoubt(State state, int i, Owner owner) {
    boolean known = rules.resolver() != Resolver.NONE;
    if (known && state.effect() != 0) {
      return new Draft(state)
          .set(
              i,
              owner
                  .withOutcome(state.effect())
                  .sends(At.COMPLETING, Verb.COMPLETE, rules.resends()));
    }
    boolean releases = known || rules.has(Flaw.RELEASE_IN_DOUBT);
    Verb verb = releases ? Verb.RELEASE : Verb.ABANDON;
    return new Draft(state).set(i, owner.sends(At.LETTING_GO, verb, rules.resends()));
  }

  private void messages(State state, int i, List<Step> steps) {
    Owner owner = state.owners().get(i);
    Message call = owner.call();
    if (state.outage() == State.Outage.AWAY) {
      if (call != null) {
        add(steps, call.verb() + " of " + name(i) + " has no answer", cutOff(state, i, owner));
      }
      return;
    }
    if (call != null && call.answer() == null) {
      Draft arrived = new Draft(state);
      arrived.set(i, owner.withCall(server.execute(arrived, call, owner.outcome())));
      add(steps, call.verb() + " of " + name(i) + " arrives", arrived);
      if (state.faults() < rules.faults()) {
        add(steps, call.verb() + " of " + name(i) + " is lost", timeOut(state, i, owner, false));
      }
      if (state.faults() < rules.faults() && owner.stray() == null) {
        add(
            steps,
            call.verb() + " of " + name(i) + " is held up, and given up by its sender",
            timeOut(state, i, owner, true));
      }
    } else if (call != null) {
      add(
          steps,
          name(i) + " reads " + call.answer() + " to its " + call.verb(),
          receive(state, i, owner, call));
      if (state.faults() < rules.faults()) {
        add(
            steps,
            "the reply to " + call.verb() + " of " + name(i) + " is lost",
            timeOut(state, i, owner, false));
      }
    }
    Message stray = owner.stray();
    if (stray != null) {
      Draft arrived = new Draft(state);
      server.execute(arrived, stray, owner.outcome());
      arrived.set(
          i, owner.at().isOver() ? owner.withStray(null).at(owner.at()) : owner.withStray(null));
      add(steps, "held-up " + stray.verb() + " of " + name(i) + " arrives", arrived);
    }
    Message renewal = owner.renewal();
    if (renewal != null && renewal.answer() == null) {
      Draft arrived = new Draft(state);
      Message back = server.execute(arrived, renewal, 0);
      arrived.set(i, owner.withRenewal(owner.at().isOver() ? null : back));
      add(steps, "RENEW of " + name(i) + " arrives", arrived);
    } else if (renewal != null) {
      boolean renewed =
          renewal.answer() == Answer.DONE && !renewal.late() && renewal.token() == owner.token();
      add(
          steps,
          name(i) + " reads " + renewal.answer() + " to its RENEW",
          new Draft(state).set(i, (renewed ? owner.withLate(false) : owner).withRenewal(null)));
    }
  }

  /** What a caller does in an outage; a release waits for the store as an outcome does. */
  private Draft cutOff(State state, int i, Owner owner) {
    Draft draft = new Draft(state);
    return switch (owner.call().verb()) {
      case COMPLETE -> {
        draft.answer(owner.outcome());
        yield draft.set(i, owner.at(rules.has(Flaw.FORGETS_UNRECORDED) ? At.DONE : At.PENDING));
      }
      case CLAIM ->
          draft.set(
              i,
              owner.call().takeover() == 0
                  ? owner.sends(At.LETTING_GO, Verb.RELEASE, 0)
                  : owner.at(At.DONE));
      case RELEASE -> draft;
      case ABANDON, RENEW -> draft.set(i, owner.at(At.DONE));
    };
  }

  /** The sender gives its call up: it sends again, or does without an answer. */
  private Draft timeOut(State state, int i, Owner owner, boolean arrivesLater) {
    Draft draft = new Draft(state);
    Message call = owner.call();
    Owner alone = owner.timesOut(arrivesLater);
    draft.faults++;
    if (call.verb() == Verb.COMPLETE && rules.answersUnrecorded()) {
      draft.answer(owner.outcome());
    }
    if (owner.resends() > 0) {
      Message again =
          new Message(
              call.verb(),
              call.token(),
              call.takeover(),
              call.verb() == Verb.CLAIM && owner.late(),
              null,
              0);
      return draft.set(i, alone.withCall(again));
    }
    if (call.verb() != Verb.CLAIM) {
      return draft.set(i, alone.at(At.DONE));
    }
    if (rules.has(Flaw.GO_AHEAD_WITHOUT_ANSWER)) {
      return begin(draft, i, alone);
    }
    boolean mayRelease =
        call.takeover() == 0
            || owner.resolution() == Resolution.NOT_EXECUTED
            || rules.has(Flaw.RELEASE_UNANSWERED_TAKEOVER);
    return draft.set(
        i, mayRelease ? alone.sends(At.LETTING_GO, Verb.RELEASE, 0) : alone.at(At.DONE));
  }

  private Draft receive(State state, int i, Owner owner, Message call) {
    Draft draft = new Draft(state);
    return switch (call.verb()) {
      case CLAIM -> claimed(draft, i, owner, call);
      case COMPLETE -> {
        boolean own = call.answer() == Answer.DONE || rules.has(Flaw.FENCED_OFF_ANSWERS_ITSELF);
        int answer = own ? owner.outcome() : call.number();
        if (answer != 0) {
          draft.answer(answer);
        }
        yield draft.set(i, owner.at(At.DONE));
      }
      case RELEASE, ABANDON, RENEW -> draft.set(i, owner.at(At.DONE));
    };
  }

  private Draft claimed(Draft draft, int i, Owner owner, Message call) {
    if (call.answer() == Answer.ACQUIRED) {
      if (owner.resolution() == Resolution.COMPLETED) {
        return draft.set(i, owner.sends(At.COMPLETING, Verb.COMPLETE, rules.resends()));
      }
      boolean late = owner.late() || call.late();
      return late && !rules.has(Flaw.START_AFTER_DEADLINE)
          ? draft.set(i, owner.sends(At.LETTING_GO, Verb.RELEASE, 0))
          : begin(draft, i, owner);
    }
    if (call.answer() == Answer.COMPLETED) {
      draft.answer(call.number());
    }
    boolean mayDecide =
        call.answer() == Answer.ABANDONED
            && call.takeover() == 0
            && (rules.resolver() != Resolver.NONE || rules.reexecutes());
    return draft.set(i, mayDecide ? owner.resolving(call.number()) : owner.at(At.DONE));
  }

  /** Starts the handler: between the look at the deadline and the start no time passes here. */
  private static Draft begin(Draft draft, int i, Owner owner) {
    Entry standing = draft.primary;
    boolean owned =
        standing != null
            && standing.stands() == Stands.IN_FLIGHT
            && standing.token() == owner.token()
            && standing.alive();
    draft.beganWithoutLease |= !owned && !draft.failedOver;
    return draft.set(i, owner.at(At.RUNNING));
  }

  private void time(State state, int i, List<Step> steps) {
    Owner owner = state.owners().get(i);
    if (owner.at().isOver()) {
      return;
    }
    boolean deadlineLeft = !owner.late() || (owner.renewal() != null && !owner.renewal().late());
    if (deadlineLeft && (owner.at() == At.CLAIMING || owner.at().renews())) {
      add(steps, name(i) + "'s deadline passes", new Draft(state).set(i, owner.passesDeadline()));
    }
    if (state.faults() < rules.faults()) {
      boolean onItsWay = owner.call() != null && owner.call().answer() == null;
      Draft crashed = new Draft(state);
      crashed.faults++;
      crashed.set(i, owner.withStray(onItsWay ? owner.call() : owner.stray()).at(At.CRASHED));
      add(steps, name(i) + " crashes", crashed);
    }
  }
}
