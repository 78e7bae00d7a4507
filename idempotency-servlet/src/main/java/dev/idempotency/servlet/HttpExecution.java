package dev.idempotency.servlet;

import dev.idempotency.Execution;

/**
 * The execution as an HTTP handler sees it: it may say itself how it ends.
 *
 * <p>A handler that calls neither method leaves the end to the filter, which goes by the status of
 * the response. Both methods block on the store for a bounded time. Thread-safe.
 */
public interface HttpExecution extends Execution {

  /**
   * Records a response as the operation's result: this caller and every retry get it instead of
   * what the handler writes.
   *
   * @throws IllegalStateException if the execution has ended already
   */
  void complete(RecordedResponse response);

  /**
   * Frees the key, because surely nothing was executed: the handler's own response is sent and not
   * recorded, and a retry runs.
   *
   * @throws IllegalStateException if the execution has ended already
   */
  void release();
}
