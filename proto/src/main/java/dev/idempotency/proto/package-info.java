/**
 * How the options of a .proto are read, and which field of a request holds its key. Server and
 * client share it.
 */
@NullMarked
package dev.idempotency.proto;

import org.jspecify.annotations.NullMarked;
