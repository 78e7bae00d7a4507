package dev.idempotency.store.model;

import dev.idempotency.store.model.State.Entry;
import dev.idempotency.store.model.State.Owner;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A state in the making: a mutable copy of the one before. */
final class Draft {

  @Nullable Entry primary;
  @Nullable Entry replica;
  boolean failedOver;
  int fences;
  int faults;
  int effects;
  int effect;
  int answered;
  int open;
  boolean contradicted;
  boolean lookedFresh;
  boolean strangerWrote;
  boolean beganWithoutLease;
  boolean revived;
  int clockSteps;
  State.Outage outage;
  boolean endedInOutage;
  boolean overtaken;
  private final Owner[] owners;

  Draft(State from) {
    primary = from.primary();
    replica = from.replica();
    failedOver = from.failedOver();
    fences = from.fences();
    faults = from.faults();
    effects = from.effects();
    effect = from.effect();
    answered = from.answered();
    open = from.open();
    contradicted = from.contradicted();
    lookedFresh = from.lookedFresh();
    strangerWrote = from.strangerWrote();
    beganWithoutLease = from.beganWithoutLease();
    revived = from.revived();
    clockSteps = from.clockSteps();
    outage = from.outage();
    endedInOutage = from.endedInOutage();
    overtaken = from.overtaken();
    owners = from.owners().toArray(new Owner[0]);
  }

  Owner owner(int i) {
    return owners[i];
  }

  int owners() {
    return owners.length;
  }

  Draft set(int i, Owner owner) {
    owners[i] = owner;
    return this;
  }

  /** A client gets an answer. */
  void answer(int outcome) {
    if (answered == 0) {
      answered = outcome;
    } else if (answered != outcome) {
      contradicted = true;
    }
  }

  State toState() {
    return new State(
        primary,
        replica,
        failedOver,
        List.of(owners),
        fences,
        faults,
        effects,
        effect,
        answered,
        open,
        contradicted,
        lookedFresh,
        strangerWrote,
        beganWithoutLease,
        revived,
        clockSteps,
        outage,
        endedInOutage,
        overtaken);
  }
}
