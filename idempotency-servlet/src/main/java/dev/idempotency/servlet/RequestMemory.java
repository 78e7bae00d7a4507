package dev.idempotency.servlet;

import dev.idempotency.MemoryBudget;
import dev.idempotency.MemoryBudget.Kind;
import dev.idempotency.MemoryReservation;

/**
 * What one request holds of the memory for callers, until it is over: its body or its form, and its
 * response. Thread-safe.
 */
final class RequestMemory {

  private final MemoryReservation content;
  private final MemoryReservation response;
  private volatile Kind kind = Kind.REQUESTS;
  private volatile boolean kept;

  RequestMemory(MemoryBudget budget, String scope) {
    this.content = budget.reserve(Kind.REQUESTS, scope);
    this.response = budget.reserve(Kind.RESPONSES, scope);
  }

  /** What the body, or the form, takes. */
  MemoryReservation content() {
    return content;
  }

  /** What the response takes. */
  MemoryReservation response() {
    return response;
  }

  /** Whether there is room for so many bytes of content now. */
  boolean mayTake(long more) {
    boolean room = content.grow(more).isGranted();
    if (room) {
      content.shrink(more);
    }
    return room;
  }

  /** The content is a form; nothing of it has been taken yet. */
  void isForm() {
    kind = Kind.FORMS;
    var unused = content.moveTo(kind);
  }

  /** It is no form after all. */
  void isBody() {
    content.shrink(content.bytes());
    kind = Kind.REQUESTS;
    var unused = content.moveTo(kind);
  }

  /** Makes what the content takes so much; false, and nothing changes, if there is no room. */
  boolean resizeContent(long bytes) {
    long more = bytes - content.bytes();
    if (more > 0) {
      return content.grow(more).isGranted();
    }
    content.shrink(-more);
    return true;
  }

  /** Counts the content among those that wait; false if there is no room. */
  boolean beginWait() {
    return content.moveTo(Kind.WAITS).isGranted();
  }

  /** It does not wait any more. Where there is no room, it counts as before. */
  void endWait() {
    var unused = content.moveTo(kind);
  }

  /** The request goes on when the filter returns. */
  void keep() {
    kept = true;
  }

  /** The filter returns. */
  void endUnlessKept() {
    if (!kept) {
      end();
    }
  }

  /** Gives all of it back. */
  void end() {
    content.close();
    response.close();
  }
}
