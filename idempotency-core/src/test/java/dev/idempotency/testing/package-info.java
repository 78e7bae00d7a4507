/** Fixtures that the tests of all modules share: real Redis processes, a clock that tests move. */
@NullMarked
package dev.idempotency.testing;

import org.jspecify.annotations.NullMarked;
