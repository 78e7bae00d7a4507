package dev.idempotency.jdbc;

import dev.idempotency.store.IdempotencyKey;

/**
 * Another request, or another caller's, has been executed under this key: this transaction was
 * rolled back. The store's record of the other one has expired or was lost, so that the store could
 * not tell.
 *
 * <p>Unchecked, and without the other's outcome, which is none of this caller's business. A handler
 * can let it pass: its adapter then ends the execution in doubt, and the {@linkplain
 * LedgerGuard#resolver resolver} has it refused as a reused key.
 */
public final class KeyReusedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  KeyReusedException(IdempotencyKey key, long fence) {
    super(
        key
            + " was executed for another request, under fence "
            + fence
            + ", and the ledger still has its row; this transaction was rolled back; refuse the"
            + " request: it needs a new key");
  }
}
