package dev.idempotency.store.model;

import dev.idempotency.store.model.State.Message;
import dev.idempotency.store.model.State.Owner;
import dev.idempotency.store.model.State.Stands;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Visits every state that the rules allow, breadth-first, so the first trace is a shortest one.
 *
 * <p>A visited state is kept as a 64-bit hash: among a million states, the chance that any two
 * share one is below 10<sup>-7</sup>.
 */
final class Explorer {

  /**
   * What was found.
   *
   * @param states visited
   * @param violation the first, if any
   */
  record Result(int states, Optional<Violation> violation) {}

  /**
   * A state that must not be, and how to come there.
   *
   * @param trace one line for each step
   */
  record Violation(Invariant invariant, List<String> trace) {

    @Override
    public String toString() {
      return invariant + "\n  " + String.join("\n  ", trace);
    }
  }

  private record Path(@Nullable Path before, String label) {}

  private record Visit(State state, Path path) {}

  private final Steps steps;
  private final Set<Invariant> invariants;
  private final int maxStates;
  private final Set<Long> seen = new HashSet<>();
  private final ArrayDeque<Visit> queue = new ArrayDeque<>();

  private Explorer(Rules rules, Set<Invariant> invariants, int maxStates) {
    this.steps = new Steps(rules);
    this.invariants = invariants;
    this.maxStates = maxStates;
  }

  /**
   * Looks for a state that breaks one of the invariants.
   *
   * @throws IllegalStateException if there are more states than expected: cut the model then
   */
  static Result explore(Rules rules, Set<Invariant> invariants, int maxStates) {
    return new Explorer(rules, invariants, maxStates).run();
  }

  private Result run() {
    Visit first = new Visit(steps.initial(), new Path(null, "start"));
    seen.add(hash(first.state));
    queue.add(first);
    while (!queue.isEmpty()) {
      Visit visit = queue.remove();
      for (Steps.Step step : steps.from(visit.state)) {
        if (!seen.add(hash(step.to()))) {
          continue;
        }
        Path path = new Path(visit.path, step.label());
        for (Invariant invariant : invariants) {
          if (!holds(invariant, step.to())) {
            return new Result(seen.size(), Optional.of(new Violation(invariant, trace(path))));
          }
        }
        queue.add(new Visit(step.to(), path));
      }
      if (seen.size() > maxStates) {
        throw new IllegalStateException("the model has more than " + maxStates + " states");
      }
    }
    return new Result(seen.size(), Optional.empty());
  }

  private static boolean holds(Invariant invariant, State state) {
    return switch (invariant) {
      case ONE_EXECUTION_UNDER_A_LEASE ->
          !state.beganWithoutLease() && (state.failedOver() || running(state) <= 1);
      case ONE_EFFECT, GUARD_KEEPS_ONE_EFFECT -> state.effects() <= 1;
      case ONE_ANSWER -> !state.contradicted();
      case CRASH_NEVER_LOOKS_FRESH -> !state.lookedFresh();
      case FENCED_OFF_WRITES_NOTHING -> !state.strangerWrote();
      case ABANDONED_STAYS -> !state.revived();
      case LIVING_OWNER_COMES_FIRST -> !state.overtaken();
      case ANSWERED_IS_STORED -> !atRest(state) || answerStands(state);
      case RELEASED_HAD_NO_EFFECT ->
          state.effects() == 0
              || state.primary() == null
              || state.primary().stands() != Stands.RELEASED;
    };
  }

  private static boolean atRest(State state) {
    return state.outage() != State.Outage.AWAY
        && state.owners().stream().allMatch(owner -> owner.at().isOver() && owner.stray() == null);
  }

  private static boolean answerStands(State state) {
    return state.answered() == 0
        || (state.primary() != null
            && state.primary().stands() == Stands.COMPLETED
            && state.primary().outcome() == state.answered());
  }

  private static long running(State state) {
    return state.owners().stream().filter(owner -> owner.at().executes() && !owner.late()).count();
  }

  private static List<String> trace(Path end) {
    List<String> lines = new ArrayList<>();
    for (Path at = end; at.before != null; at = at.before) {
      lines.add(at.label);
    }
    Collections.reverse(lines);
    return lines;
  }

  private static long hash(State state) {
    long hash = entry(1, state.primary());
    hash = entry(hash, state.replica());
    for (Owner owner : state.owners()) {
      hash = mix(hash, owner.at().ordinal() | owner.token() << 4 | owner.fence() << 8);
      hash = mix(hash, owner.resends() | owner.renewals() << 4 | owner.outcome() << 8);
      hash = mix(hash, owner.resolution().ordinal() | (owner.late() ? 8 : 0));
      hash = message(hash, owner.call());
      hash = message(hash, owner.stray());
      hash = message(hash, owner.renewal());
    }
    hash = mix(hash, state.fences() | state.faults() << 8 | state.effects() << 16);
    hash = mix(hash, state.effect() | state.answered() << 8 | (state.open() + 2) << 16);
    int flags =
        (state.failedOver() ? 1 : 0)
            | (state.contradicted() ? 2 : 0)
            | (state.lookedFresh() ? 4 : 0)
            | (state.strangerWrote() ? 8 : 0)
            | (state.beganWithoutLease() ? 16 : 0)
            | (state.revived() ? 32 : 0)
            | (state.endedInOutage() ? 64 : 0)
            | (state.overtaken() ? 128 : 0);
    return mix(hash, flags | state.clockSteps() << 8 | state.outage().ordinal() << 12);
  }

  private static long entry(long hash, State.@Nullable Entry entry) {
    return entry == null
        ? mix(hash, -1)
        : mix(
            hash,
            entry.stands().ordinal()
                | entry.token() << 4
                | entry.fence() << 8
                | (entry.alive() ? 1 << 16 : 0)
                | entry.outcome() << 20);
  }

  private static long message(long hash, @Nullable Message message) {
    return message == null
        ? mix(hash, -1)
        : mix(
            hash,
            message.verb().ordinal()
                | message.token() << 4
                | message.takeover() << 8
                | (message.late() ? 1 << 14 : 0)
                | (message.answer() == null ? 7 : message.answer().ordinal()) << 16
                | message.number() << 20);
  }

  /** The finaliser of SplitMix64, over what came before and what comes now. */
  private static long mix(long hash, int value) {
    long mixed = hash * 0x9E3779B97F4A7C15L + value;
    mixed = (mixed ^ (mixed >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return mixed ^ (mixed >>> 31);
  }
}
