package dev.idempotency.grpc;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.MemoryBudget;
import dev.idempotency.MemoryBudget.Grant;
import dev.idempotency.MemoryBudget.Kind;
import dev.idempotency.MemoryReservation;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * What one keyed call holds of the memory for callers: its message, and what its handler answers.
 * Given back when the call has been answered; if the client disconnects, when its handler has
 * ended. Thread-safe.
 */
final class CallMemory {

  private final MemoryBudget budget;
  private final Duration retryAfter;
  private @Nullable MemoryReservation request;
  private @Nullable MemoryReservation response;
  private @Nullable MemoryReservation unrecorded;
  private long parsed;
  private boolean running;
  private boolean over;
  private volatile boolean resultLost;

  CallMemory(IdempotencyConfig config) {
    this.budget = config.memory();
    this.retryAfter = config.retryAfter();
  }

  /**
   * Takes what a message needs.
   *
   * @param scope of the caller
   * @param bytes of the message, serialized
   * @throws RefusedCall if there is no room
   */
  void takeRequest(String scope, int bytes) {
    synchronized (this) {
      request = budget.reserve(Kind.REQUESTS, scope);
      response = budget.reserve(Kind.RESPONSES, scope);
      unrecorded = budget.reserve(Kind.UNRECORDED, scope);
      if (over) {
        // The client had disconnected before its message was looked at: no one would end these.
        end();
      }
    }
    if (parsed(bytes) > budget.largest(Kind.REQUESTS)) {
      throw new RefusedCall(OwnAnswer.requestTooLarge());
    }
    parsed = parsed(bytes);
    takeMore(parsed);
  }

  /** Objects of a message and its bytes. */
  private static long parsed(long bytes) {
    return 2L * bytes;
  }

  /**
   * Takes more, for a while.
   *
   * @throws RefusedCall if there is no room
   */
  void takeMore(long bytes) {
    Grant grant = requestMemory().grow(bytes);
    if (!grant.isGranted()) {
      throw new RefusedCall(OwnAnswer.memoryFull(grant, retryAfter));
    }
  }

  /** What was taken to digest the message is not needed any more. */
  void contentDigested() {
    MemoryReservation reservation = requestMemory();
    reservation.shrink(Math.max(0, reservation.bytes() - parsed));
  }

  private synchronized MemoryReservation requestMemory() {
    return reserved(request);
  }

  private synchronized MemoryReservation responseMemory() {
    return reserved(response);
  }

  private synchronized MemoryReservation unrecordedMemory() {
    return reserved(unrecorded);
  }

  private static MemoryReservation reserved(@Nullable MemoryReservation reservation) {
    if (reservation == null) {
      throw new IllegalStateException("nothing was reserved for this call");
    }
    return reservation;
  }

  /**
   * Counts the message among those that wait.
   *
   * @param bytes of the message, serialized, which is how it waits
   * @return false if there is no room
   */
  boolean beginWait(long bytes) {
    MemoryReservation waiting = requestMemory();
    waiting.shrink(Math.max(0, waiting.bytes() - bytes));
    return waiting.moveTo(Kind.WAITS).isGranted();
  }

  /** The message is parsed again. Where there is no room, it counts as before. */
  void endWait(long bytes) {
    MemoryReservation waited = requestMemory();
    if (waited.moveTo(Kind.REQUESTS).isGranted()) {
      var unused = waited.grow(bytes);
    }
  }

  /**
   * Takes room for a message of the handler, and for its bytes, to record them; without it the
   * result cannot be recorded.
   *
   * @param bytes of the message, serialized
   */
  boolean takeResponse(long bytes) {
    boolean taken = responseMemory().grow(parsed(bytes)).isGranted();
    resultLost |= !taken;
    return taken;
  }

  /** Takes room for a message that is sent without being recorded. */
  boolean takeUnrecorded(long bytes) {
    return unrecordedMemory().grow(bytes).isGranted();
  }

  /** Takes room for the copies that recording a result makes; false if it cannot be recorded. */
  boolean mayRecord(long bytes) {
    return !resultLost && responseMemory().grow(2 * bytes).isGranted();
  }

  /** Whether there is room for a stored result, serialized and parsed. */
  boolean mayReplay(long bytes) {
    return responseMemory().grow(2 * bytes).isGranted();
  }

  OwnAnswer full() {
    return OwnAnswer.memoryFull(Grant.FULL, retryAfter);
  }

  /** The handler starts; false if the call is over. */
  synchronized boolean handlerStarts() {
    running = !over;
    return running;
  }

  /** The client has disconnected. */
  synchronized void callerGone() {
    if (!running) {
      end();
    }
  }

  /** It has been answered. */
  synchronized void end() {
    over = true;
    if (request != null) {
      request.close();
    }
    if (response != null) {
      response.close();
    }
    if (unrecorded != null) {
      unrecorded.close();
    }
  }
}
