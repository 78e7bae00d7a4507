/** An explicit-state model of the store's protocol, explored breadth-first. */
@NullMarked
package dev.idempotency.store.model;

import org.jspecify.annotations.NullMarked;
