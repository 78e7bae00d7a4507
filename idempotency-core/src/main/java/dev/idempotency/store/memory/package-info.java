/** The reference store: one process, no persistence. */
@NullMarked
package dev.idempotency.store.memory;

import org.jspecify.annotations.NullMarked;
