package dev.idempotency.store;

/**
 * A store could not do what it was asked. It never means that the operation may run.
 *
 * <p>After a write that ended with {@link Reason#UNAVAILABLE}, send it again with the same token.
 */
public class StoreException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** What is wrong, and so whether another try can help. */
  public enum Reason {
    /** No answer: nobody knows whether a write was done. May pass. */
    UNAVAILABLE,
    /**
     * Surely not done: the store answered that it cannot do it now (read-only, out of memory), or
     * the request was never sent (connection refused, no free connection). There is nothing to
     * undo.
     */
    REFUSED,
    /** The stored value is damaged or not one of ours; requires operator action. */
    CORRUPT,
    /**
     * The stored value is of a later format than this release reads. Nothing that this process does
     * can help: it must be upgraded.
     */
    NEWER_FORMAT,
    /**
     * The stored record is past the end that it names itself, or has lost its TTL: it was put back,
     * by a restore for example. It is no answer, and since nobody knows whether the key was used
     * meanwhile, it is not fresh either; requires operator action.
     */
    STALE
  }

  private final Reason reason;

  /** With a cause. */
  public StoreException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
  }

  /** Without a cause. */
  public StoreException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** What is wrong. */
  public Reason reason() {
    return reason;
  }

  /**
   * Whether the store works and one record stops its key, until somebody looks after it: {@link
   * Reason#CORRUPT}, {@link Reason#NEWER_FORMAT} and {@link Reason#STALE}.
   */
  public boolean isUnreadableRecord() {
    return reason == Reason.CORRUPT || reason == Reason.NEWER_FORMAT || reason == Reason.STALE;
  }
}
