/** A money-transfer service over HTTP and gRPC whose transfers run once. */
@NullMarked
package dev.idempotency.example.transfer;

import org.jspecify.annotations.NullMarked;
