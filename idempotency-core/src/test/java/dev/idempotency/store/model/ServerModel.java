package dev.idempotency.store.model;

import static dev.idempotency.store.model.State.Answer.ABANDONED;
import static dev.idempotency.store.model.State.Answer.ACQUIRED;
import static dev.idempotency.store.model.State.Answer.COMPLETED;
import static dev.idempotency.store.model.State.Answer.DONE;
import static dev.idempotency.store.model.State.Answer.IN_FLIGHT;
import static dev.idempotency.store.model.State.Answer.REFUSED;

import dev.idempotency.store.model.State.Entry;
import dev.idempotency.store.model.State.Message;
import dev.idempotency.store.model.State.Stands;
import dev.idempotency.store.model.State.Verb;
import org.jspecify.annotations.Nullable;

/** What the scripts do: one atomic step of the server for each message that arrives. */
final class ServerModel {

  private final Rules rules;

  ServerModel(Rules rules) {
    this.rules = rules;
  }

  /**
   * Carries a message out.
   *
   * @param outcome what a completion stores
   * @return the message on its way back
   */
  Message execute(Draft world, Message message, int outcome) {
    @Nullable Entry before = world.primary;
    noteOvertaking(world, message);
    Message back =
        switch (message.verb()) {
          case CLAIM -> claim(world, message);
          case COMPLETE -> complete(world, message, outcome);
          case RENEW, ABANDON -> touch(world, message);
          case RELEASE -> release(world, message);
        };
    if (message.verb() != Verb.CLAIM
        && before != null
        && before.token() != message.token()
        && !before.equals(world.primary)) {
      world.strangerWrote = true;
    }
    world.revived |= isRevival(before, world.primary);
    if (world.primary == null || world.primary.alive()) {
      world.endedInOutage = false;
    }
    return back;
  }

  /** A takeover that is about to be granted, just after an outage, while the owner lives. */
  private static void noteOvertaking(Draft world, Message message) {
    Entry standing = world.primary;
    if (message.verb() == Verb.CLAIM
        && standing != null
        && standing.stands() == Stands.IN_FLIGHT
        && !standing.alive()
        && message.takeover() == standing.fence()
        && message.takeover() != 0
        && world.outage == State.Outage.BACK
        && world.endedInOutage) {
      for (int i = 0; i < world.owners(); i++) {
        State.Owner owner = world.owner(i);
        world.overtaken |= owner.token() == standing.token() && owner.at().lives();
      }
    }
  }

  private static boolean isRevival(@Nullable Entry before, @Nullable Entry after) {
    return before != null
        && after != null
        && before.stands() == Stands.ABANDONED
        && after.stands() == Stands.IN_FLIGHT
        && before.token() == after.token();
  }

  private Message claim(Draft world, Message claim) {
    Entry standing = world.primary;
    if (standing == null
        || standing.stands() == Stands.RELEASED
        || rules.has(Flaw.CLAIM_OVERWRITES)) {
      if (world.open != State.FREE && !world.failedOver) {
        world.lookedFresh = true;
      }
      return own(world, claim);
    }
    if (standing.stands() == Stands.COMPLETED) {
      return claim.answered(COMPLETED, standing.outcome());
    }
    if (standing.token() == claim.token() && isRenewable(standing)) {
      world.primary = inFlight(standing);
      return claim.answered(ACQUIRED, standing.fence());
    }
    if (standing.alive()) {
      return claim.answered(IN_FLIGHT, 0);
    }
    boolean sameFence =
        claim.takeover() == standing.fence() || rules.has(Flaw.TAKEOVER_IGNORES_FENCE);
    return claim.takeover() != 0 && sameFence
        ? own(world, claim)
        : claim.answered(ABANDONED, standing.fence());
  }

  private boolean isRenewable(Entry standing) {
    return standing.stands() == Stands.IN_FLIGHT
        || (standing.stands() == Stands.ABANDONED && rules.has(Flaw.REPEAT_REVIVES_ABANDONED));
  }

  private static Entry inFlight(Entry standing) {
    return new Entry(Stands.IN_FLIGHT, standing.token(), standing.fence(), true, 0);
  }

  private static Message own(Draft world, Message claim) {
    world.fences++;
    world.open = claim.token();
    world.primary = new Entry(Stands.IN_FLIGHT, claim.token(), world.fences, true, 0);
    return claim.answered(ACQUIRED, world.fences);
  }

  private Message complete(Draft world, Message complete, int outcome) {
    Entry standing = world.primary;
    if (standing != null && !rules.has(Flaw.COMPLETE_IGNORES_TOKEN)) {
      boolean completed = standing.stands() == Stands.COMPLETED;
      if (standing.token() != complete.token() || standing.stands() == Stands.RELEASED) {
        return complete.answered(REFUSED, completed ? standing.outcome() : 0);
      }
      if (completed) {
        return complete.answered(DONE, 0);
      }
    }
    int fence = standing == null ? 0 : standing.fence();
    world.primary = new Entry(Stands.COMPLETED, complete.token(), fence, false, outcome);
    world.open = State.SETTLED;
    return complete.answered(DONE, 0);
  }

  private Message touch(Draft world, Message touch) {
    Entry standing = world.primary;
    boolean renewal = touch.verb() == Verb.RENEW;
    if (standing == null
        || (standing.token() != touch.token() && !(renewal && rules.has(Flaw.RENEW_IGNORES_TOKEN)))
        || !(isRenewable(standing) || (!renewal && standing.stands() == Stands.ABANDONED))) {
      return touch.answered(REFUSED, 0);
    }
    world.primary =
        renewal
            ? inFlight(standing)
            : new Entry(Stands.ABANDONED, standing.token(), standing.fence(), false, 0);
    return touch.answered(DONE, 0);
  }

  private static Message release(Draft world, Message release) {
    Entry standing = world.primary;
    if (standing == null
        || standing.token() != release.token()
        || standing.stands() == Stands.COMPLETED) {
      return release.answered(REFUSED, 0);
    }
    world.primary = new Entry(Stands.RELEASED, standing.token(), standing.fence(), false, 0);
    world.open = State.FREE;
    return release.answered(DONE, 0);
  }
}
