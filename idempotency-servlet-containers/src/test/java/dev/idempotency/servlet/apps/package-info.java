/** Applications that know nothing of the filter, behind it and without it. */
@NullMarked
package dev.idempotency.servlet.apps;

import org.jspecify.annotations.NullMarked;
