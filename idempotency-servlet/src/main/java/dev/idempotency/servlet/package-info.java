/**
 * A Jakarta Servlet filter in front of the engine: a retried HTTP request finds the first one's
 * response instead of running again.
 */
@NullMarked
package dev.idempotency.servlet;

import org.jspecify.annotations.NullMarked;
