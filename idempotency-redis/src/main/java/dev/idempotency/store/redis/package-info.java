/** The Redis store: one string per key, compare-and-set scripts, one round trip per step. */
@NullMarked
package dev.idempotency.store.redis;

import org.jspecify.annotations.NullMarked;
