/** The filter on every servlet container it is for. */
@NullMarked
package dev.idempotency.servlet.containers;

import org.jspecify.annotations.NullMarked;
