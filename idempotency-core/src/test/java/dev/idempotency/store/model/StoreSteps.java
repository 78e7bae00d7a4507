package dev.idempotency.store.model;

import dev.idempotency.store.model.State.At;
import dev.idempotency.store.model.State.Entry;
import dev.idempotency.store.model.State.Message;
import dev.idempotency.store.model.State.Outage;
import dev.idempotency.store.model.State.Owner;
import dev.idempotency.store.model.State.Stands;
import dev.idempotency.store.model.State.Verb;
import dev.idempotency.store.model.Steps.Step;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What can happen to the store by itself: time, a failover, jumps of its clock, an outage. */
final class StoreSteps {

  private final Rules rules;

  StoreSteps(Rules rules) {
    this.rules = rules;
  }

  private static void add(List<Step> steps, String label, Draft to) {
    steps.add(new Step(label, to.toState()));
  }

  List<Step> from(State state) {
    List<Step> steps = new ArrayList<>();
    time(state, steps);
    failover(state, steps);
    if (state.clockSteps() < rules.clockSteps()) {
      clock(state, steps);
    }
    if (rules.outage()) {
      outage(state, steps);
    }
    return steps;
  }

  private void time(State state, List<Step> steps) {
    Entry primary = state.primary();
    if (primary != null && primary.alive() && leaseMayEnd(state, primary)) {
      Draft over = new Draft(state);
      over.primary = rules.has(Flaw.KEY_VANISHES_WITH_LEASE) ? null : ended(primary);
      Entry replica = state.replica();
      if (replica != null && replica.token() == primary.token()) {
        over.replica = rules.has(Flaw.KEY_VANISHES_WITH_LEASE) ? null : ended(replica);
      }
      over.endedInOutage = state.outage() == Outage.AWAY;
      add(steps, "the lease ends in the store", over);
    }
    if (primary != null && primary.stands() == Stands.RELEASED) {
      Draft expired = new Draft(state);
      expired.primary = null;
      add(steps, "the released record expires", expired);
    }
  }

  private void failover(State state, List<Step> steps) {
    Entry primary = state.primary();
    if (rules.failover() && !state.failedOver()) {
      if (!same(primary, state.replica())) {
        Draft copied = new Draft(state);
        copied.replica = primary;
        add(steps, "the replica catches up", copied);
        Draft promoted = new Draft(state);
        promoted.failedOver = true;
        promoted.primary = state.replica();
        promoted.replica = null;
        add(steps, "the replica is promoted, without the last writes", promoted);
      }
    }
  }

  /** Leases and TTLs are kept by the store's wall clock. */
  private void clock(State state, List<Step> steps) {
    Entry primary = state.primary();
    if (primary == null) {
      return;
    }
    if (primary.alive()) {
      add(steps, "the clock jumps past the lease", stepped(state, ended(primary)));
    } else if (primary.stands() == Stands.IN_FLIGHT) {
      add(steps, "the clock jumps back into the lease", stepped(state, begun(primary)));
    } else if (primary.stands() == Stands.ABANDONED && rules.has(Flaw.ABANDONS_BY_AGE_ALONE)) {
      Draft undone = stepped(state, begun(primary));
      undone.revived = true;
      add(steps, "the clock jumps back into the abandoned lease", undone);
    }
    if (rules.pastTheTtl()) {
      add(steps, "the clock jumps past the TTL", stepped(state, null));
    }
  }

  private static Draft stepped(State state, @Nullable Entry to) {
    Draft stepped = new Draft(state);
    stepped.clockSteps++;
    stepped.primary = to;
    return stepped;
  }

  private void outage(State state, List<Step> steps) {
    Draft next = new Draft(state);
    switch (state.outage()) {
      case NONE -> {
        next.outage = Outage.AWAY;
        for (int i = 0; i < state.owners().size(); i++) {
          next.set(i, state.owners().get(i).cutOff());
        }
        add(steps, "the store is away", next);
      }
      case AWAY -> {
        // It lasts longer than callers wait.
        if (state.owners().stream().noneMatch(StoreSteps::waits)) {
          next.outage = Outage.BACK;
          add(steps, "the store is back", next);
        }
      }
      case BACK -> {
        if (livingOwnerIsBack(state)) {
          next.outage = Outage.OVER;
          add(steps, "the time to come back is over", next);
        }
      }
      case OVER -> {}
    }
  }

  private static boolean waits(Owner owner) {
    return owner.call() != null && owner.call().verb() != Verb.RELEASE;
  }

  /** An owner that lives renews, or stores its outcome, within the time that it is given. */
  private static boolean livingOwnerIsBack(State state) {
    Entry primary = state.primary();
    return primary == null
        || primary.stands() != Stands.IN_FLIGHT
        || primary.alive()
        || state.owners().stream()
            .noneMatch(owner -> owner.token() == primary.token() && owner.at().lives());
  }

  private static Entry begun(Entry entry) {
    return new Entry(Stands.IN_FLIGHT, entry.token(), entry.fence(), true, 0);
  }

  private static Entry ended(Entry entry) {
    return new Entry(entry.stands(), entry.token(), entry.fence(), false, entry.outcome());
  }

  private static boolean same(@Nullable Entry a, @Nullable Entry b) {
    return a == null ? b == null : a.equals(b);
  }

  /**
   * The owner counts its deadline from before it sends, less a margin: it passes before the end
   * that the store sees. A failover may have lost renewals.
   */
  private static boolean leaseMayEnd(State state, Entry entry) {
    Owner owner = state.owners().get(entry.token() / 2);
    boolean believes = owner.token() == entry.token() && owner.at() != At.LETTING_GO;
    if (state.failedOver() || owner.at().isOver() || !believes) {
      return true;
    }
    Message renewal = owner.renewal();
    return owner.late() && (renewal == null || renewal.answer() == null || renewal.late());
  }
}
