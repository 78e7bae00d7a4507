package dev.idempotency.testing;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Asks whether a recorded history of one object could have come from steps one after the other,
 * each between its call and its answer.
 *
 * <p>The search of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993), with a memory
 * of the configurations that led nowhere (Lowe, 2017). A call without an answer may have taken
 * effect at any time after it was made, or never.
 */
public final class Linearizability {

  private static final long NEVER = Long.MAX_VALUE;

  private Linearizability() {}

  /**
   * One call and its answer.
   *
   * @param invoked when it was made
   * @param returned when its answer came; {@link #unanswered} ones have none
   * @param operation what was asked and answered, as the model understands it
   */
  public record Call<O>(long invoked, long returned, O operation) {

    /** A call of which nobody knows whether, or when, it was carried out. */
    public static <O> Call<O> unanswered(long invoked, O operation) {
      return new Call<>(invoked, NEVER, operation);
    }

    boolean isAnswered() {
      return returned != NEVER;
    }
  }

  /** The sequential object: immutable states with value equality. */
  @FunctionalInterface
  public interface Model<S, O> {
    /**
     * The states that the operation may lead to.
     *
     * @param answered whether the operation's recorded answer must fit
     * @return empty if the answer is impossible in this state
     */
    List<S> step(S state, O operation, boolean answered);
  }

  /** Whether some order of the calls explains every answer. */
  public static <S, O> boolean isLinearizable(S initial, List<Call<O>> calls, Model<S, O> model) {
    return search(initial, new BitSet(), calls, model, new HashSet<>());
  }

  private static <S, O> boolean search(
      S state, BitSet done, List<Call<O>> calls, Model<S, O> model, Set<List<Object>> failed) {
    List<Integer> open = new ArrayList<>();
    long firstReturn = NEVER;
    boolean answersLeft = false;
    for (int i = done.nextClearBit(0); i < calls.size(); i = done.nextClearBit(i + 1)) {
      open.add(i);
      answersLeft |= calls.get(i).isAnswered();
      firstReturn = Math.min(firstReturn, calls.get(i).returned());
    }
    if (!answersLeft) {
      return true;
    }
    if (!failed.add(List.of(state, done.clone()))) {
      return false;
    }
    for (int i : open) {
      Call<O> call = calls.get(i);
      if (call.invoked() > firstReturn) {
        continue;
      }
      BitSet next = (BitSet) done.clone();
      next.set(i);
      for (S after : model.step(state, call.operation(), call.isAnswered())) {
        if (search(after, next, calls, model, failed)) {
          return true;
        }
      }
    }
    return false;
  }
}
