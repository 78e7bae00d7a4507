/**
 * The ledger guard: one row beside the business rows, in the application's own transaction, that
 * makes a second execution of a key impossible whatever the store lost.
 *
 * <p>Needs nothing but {@code java.sql}; runs on PostgreSQL, MySQL, MariaDB and H2.
 */
@NullMarked
package dev.idempotency.jdbc;

import org.jspecify.annotations.NullMarked;
