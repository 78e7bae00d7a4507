/**
 * What every way into the engine must do, as one list that the tests of each adapter play through
 * their own driver: HTTP on every container, gRPC on every transport.
 */
@NullMarked
package dev.idempotency.testing.scenario;

import org.jspecify.annotations.NullMarked;
