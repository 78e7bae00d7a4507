@NullMarked
package dev.idempotency.example.payment;

import org.jspecify.annotations.NullMarked;
