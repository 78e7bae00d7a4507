/** A shop made with Jersey, by Jakarta REST. */
@NullMarked
package dev.idempotency.servlet.apps.jersey;

import org.jspecify.annotations.NullMarked;
