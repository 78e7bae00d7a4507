package dev.idempotency.example.transfer;

import dev.idempotency.Completion;
import dev.idempotency.IdempotencyListener;
import dev.idempotency.store.IdempotencyKey;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;

/** Logs what the engine does after faults, beyond what it logs itself. */
record EngineEvents(PauseAt pause) implements IdempotencyListener {

  private static final Logger LOG = System.getLogger(EngineEvents.class.getName());

  @Override
  public void onTakeover(IdempotencyKey key, boolean reexecution) {
    LOG.log(Level.INFO, "taken over: {0}, whose owner did not end it", key);
  }

  @Override
  public void onCompletion(IdempotencyKey key, Completion.Status status) {
    pause.reached(PauseAt.Step.AFTER_COMPLETE);
  }
}
