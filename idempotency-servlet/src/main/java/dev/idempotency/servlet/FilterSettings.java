package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import jakarta.servlet.http.HttpServletRequest;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the builder collected. Immutable.
 *
 * @param scope the caller's scope; empty for anonymous callers
 */
record FilterSettings(
    IdempotencyEngine engine,
    Routes routes,
    KeyHeader keyHeader,
    Function<HttpServletRequest, String> scope,
    ReplayedHeaders replayedHeaders,
    Optional<String> expiresHeader,
    String describedBy,
    boolean failOpen) {}
