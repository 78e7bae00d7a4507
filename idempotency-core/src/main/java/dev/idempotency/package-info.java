/**
 * The engine: one place that decides whether a request runs, waits, or gets the stored outcome.
 * Adapters translate its {@link dev.idempotency.Decision}s; they decide nothing.
 */
@NullMarked
package dev.idempotency;

import org.jspecify.annotations.NullMarked;
