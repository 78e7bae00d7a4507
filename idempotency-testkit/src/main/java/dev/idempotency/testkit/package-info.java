/**
 * What every store must do, as JUnit suites for those who write one.
 *
 * <p>A store's test extends {@link dev.idempotency.testkit.IdempotencyStoreContract}, and says how
 * its leases and records end.
 */
@NullMarked
package dev.idempotency.testkit;

import org.jspecify.annotations.NullMarked;
