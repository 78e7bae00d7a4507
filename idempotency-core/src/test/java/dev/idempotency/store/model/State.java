package dev.idempotency.store.model;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One state of the world: the record in the primary and in its replica, the owners with their
 * messages, and what has happened so far as far as an invariant asks for it. Immutable.
 *
 * @param primary the record of the one key; null if there is none
 * @param replica a copy that lags behind
 * @param failedOver whether the replica has been promoted
 * @param owners everybody who asks for the key
 * @param fences ownerships granted so far; the next one gets the next number
 * @param faults messages lost or held up, and owners crashed, so far
 * @param effects effects committed
 * @param effect whose was the first, as an outcome; 0 for none
 * @param answered the first answer that a client got; 0 for none
 * @param open the token of the last ownership that did not end by a release; see {@link #FREE}
 * @param contradicted two clients got different answers
 * @param lookedFresh a key was acquired as fresh that was not
 * @param strangerWrote a record was changed by someone who did not own it
 * @param beganWithoutLease a handler was started by someone who did not own the record
 * @param revived a record was in flight again after its owner had abandoned it
 * @param clockSteps jumps of the store's clock so far
 * @param outage whether the store is away, or was
 * @param endedInOutage whether the record's lease ended while the store was away
 * @param overtaken a living owner was overtaken that an outage alone had kept from renewing
 */
record State(
    @Nullable Entry primary,
    @Nullable Entry replica,
    boolean failedOver,
    List<Owner> owners,
    int fences,
    int faults,
    int effects,
    int effect,
    int answered,
    int open,
    boolean contradicted,
    boolean lookedFresh,
    boolean strangerWrote,
    boolean beganWithoutLease,
    boolean revived,
    int clockSteps,
    Outage outage,
    boolean endedInOutage,
    boolean overtaken) {

  /** An outage of the store that lasts longer than a lease. */
  enum Outage {
    NONE,
    /** No message arrives. */
    AWAY,
    /** Messages arrive; owners that live have not all come back. */
    BACK,
    OVER
  }

  /** Never owned, or released by the last owner. */
  static final int FREE = -1;

  /** Completed. */
  static final int SETTLED = -2;

  /** What the record says. */
  enum Stands {
    IN_FLIGHT,
    /** By its owner; one whose lease just ended is still in flight, but not alive. */
    ABANDONED,
    COMPLETED,
    RELEASED
  }

  /**
   * The record.
   *
   * @param alive whether the lease is, by the store's clock; false unless in flight
   * @param outcome 0 unless completed
   */
  record Entry(Stands stands, int token, int fence, boolean alive, int outcome) {}

  /** Where an owner is. */
  enum At {
    IDLE,
    CLAIMING,
    /** Saw an abandoned record; the resolver is not asked yet. */
    DECIDING,
    RUNNING,
    /** The handler knows its effect committed. */
    EFFECT_DONE,
    /** The handler ended and does not know. */
    IN_DOUBT,
    COMPLETING,
    /** Has answered its client; its outcome waits for the store. */
    PENDING,
    /** Releases or abandons. */
    LETTING_GO,
    DONE,
    CRASHED;

    boolean executes() {
      return this == RUNNING || this == EFFECT_DONE || this == IN_DOUBT;
    }

    boolean renews() {
      return executes() || this == COMPLETING;
    }

    /** Its process lives, and wants the key. */
    boolean lives() {
      return executes() || this == COMPLETING || this == PENDING;
    }

    boolean isOver() {
      return this == IDLE || this == DONE || this == CRASHED;
    }
  }

  /** What is known of an abandoned execution whose key is taken over. */
  enum Resolution {
    NONE,
    NOT_EXECUTED,
    COMPLETED,
    UNKNOWN
  }

  /** What the store is asked. */
  enum Verb {
    CLAIM,
    RENEW,
    COMPLETE,
    RELEASE,
    ABANDON
  }

  /** What the store says. */
  enum Answer {
    ACQUIRED,
    IN_FLIGHT,
    COMPLETED,
    ABANDONED,
    DONE,
    REFUSED
  }

  /**
   * A message under way.
   *
   * @param takeover the fence that a claim may take over; 0 for none
   * @param late whether the deadline counted from its sending has passed
   * @param answer null on its way there, present on its way back
   * @param number the fence or the outcome in the answer
   */
  record Message(
      Verb verb, int token, int takeover, boolean late, @Nullable Answer answer, int number) {

    Message passedDeadline() {
      return new Message(verb, token, takeover, true, answer, number);
    }

    Message answered(Answer with, int value) {
      return new Message(verb, token, takeover, late, with, value);
    }
  }

  /**
   * One request on its process. That it is paused needs no state of its own: it is not stepping,
   * while its deadline and everybody else go on.
   *
   * @param token of its present claim; a takeover draws a new one
   * @param fence of its ownership, or of the abandoned one it decides about
   * @param late whether its own deadline has passed
   * @param resends left for the present call
   * @param renewals left
   * @param outcome what it completes with
   * @param resolution what it knows of the owner before
   * @param call the message it waits for
   * @param stray an earlier send that it gave up, still to arrive
   * @param renewal a renewal under way
   */
  record Owner(
      At at,
      int token,
      int fence,
      boolean late,
      int resends,
      int renewals,
      int outcome,
      Resolution resolution,
      @Nullable Message call,
      @Nullable Message stray,
      @Nullable Message renewal) {

    /** Goes on without a call; what does not matter any more is forgotten, so that states meet. */
    Owner at(At next) {
      if (!next.isOver()) {
        return new Owner(
            next, token, 0, late, 0, renewals, outcome, Resolution.NONE, null, stray, renewal);
      }
      boolean renewalArrives = renewal != null && renewal.answer() == null;
      return new Owner(
          next,
          token,
          0,
          false,
          0,
          0,
          stray != null && stray.verb() == Verb.COMPLETE ? outcome : 0,
          Resolution.NONE,
          null,
          stray,
          renewalArrives ? renewal.passedDeadline() : null);
    }

    Owner resolving(int abandonedFence) {
      return at(At.DECIDING).withFence(abandonedFence);
    }

    Owner withFence(int value) {
      return new Owner(
          at, token, value, late, resends, renewals, outcome, resolution, call, stray, renewal);
    }

    Owner withLate(boolean value) {
      return new Owner(
          at, token, fence, value, resends, renewals, outcome, resolution, call, stray, renewal);
    }

    Owner withOutcome(int value) {
      return new Owner(
          at, token, fence, late, resends, renewals, value, resolution, call, stray, renewal);
    }

    Owner withCall(Message value) {
      return new Owner(
          at, token, fence, late, resends, renewals, outcome, resolution, value, stray, renewal);
    }

    Owner withStray(@Nullable Message value) {
      return new Owner(
          at, token, fence, late, resends, renewals, outcome, resolution, call, value, renewal);
    }

    Owner withRenewal(@Nullable Message value) {
      return new Owner(
          at, token, fence, late, resends, renewals, outcome, resolution, call, stray, value);
    }

    Owner sends(At next, Verb verb, int resendsLeft) {
      return new Owner(
          next,
          token,
          0,
          next == At.COMPLETING && late,
          resendsLeft,
          next == At.COMPLETING ? renewals : 0,
          next == At.COMPLETING ? outcome : 0,
          Resolution.NONE,
          new Message(verb, token, 0, false, null, 0),
          stray,
          renewal);
    }

    Owner claims(int withToken, int takeover, Resolution knowing, int resendsLeft) {
      return new Owner(
          At.CLAIMING,
          withToken,
          0,
          false,
          resendsLeft,
          renewals,
          outcome,
          knowing,
          new Message(Verb.CLAIM, withToken, takeover, false, null, 0),
          stray,
          renewal);
    }

    Owner sendsRenewal() {
      return new Owner(
          at,
          token,
          fence,
          late,
          resends,
          renewals - 1,
          outcome,
          resolution,
          call,
          stray,
          new Message(Verb.RENEW, token, 0, false, null, 0));
    }

    /** Gives the present call up; it may still arrive. */
    Owner timesOut(boolean arrivesLater) {
      return new Owner(
          at,
          token,
          fence,
          late,
          resends - 1,
          renewals,
          outcome,
          resolution,
          null,
          arrivesLater ? call : stray,
          renewal);
    }

    /** The store is away: what is under way between them is lost. */
    Owner cutOff() {
      Message lost = call == null || call.answer() == null ? call : resent(call);
      return new Owner(
          at, token, fence, late, resends, renewals, outcome, resolution, lost, null, null);
    }

    private static Message resent(Message call) {
      return new Message(call.verb(), call.token(), call.takeover(), call.late(), null, 0);
    }

    Owner passesDeadline() {
      return withLate(true)
          .withCallLate()
          .withRenewal(renewal == null ? null : renewal.passedDeadline());
    }

    private Owner withCallLate() {
      return call != null && call.verb() == Verb.CLAIM ? withCall(call.passedDeadline()) : this;
    }
  }
}
