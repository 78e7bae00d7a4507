/** The operator's command line for records in Redis. */
@NullMarked
package dev.idempotency.tool;

import org.jspecify.annotations.NullMarked;
