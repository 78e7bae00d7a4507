/** The store SPI and the values that cross it. Depends on the JDK alone. */
@NullMarked
package dev.idempotency.store;

import org.jspecify.annotations.NullMarked;
