/**
 * The client's half: one retry loop for HTTP and gRPC in which every attempt carries the same key.
 */
@NullMarked
package dev.idempotency.client;

import org.jspecify.annotations.NullMarked;
