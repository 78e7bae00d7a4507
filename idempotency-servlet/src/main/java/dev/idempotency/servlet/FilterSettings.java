package dev.idempotency.servlet;

import dev.idempotency.IdempotencyEngine;
import jakarta.servlet.http.HttpServletRequest;
import java.util.Optional;
import java.util.function.Function;

/**
 * What the builder collected. Immutable.
 *
 * @param scope the caller's scope; empty for anonymous callers
 * @param fingerprintTag names what the fingerprint is made of
 */
record FilterSettings(
    IdempotencyEngine engine,
    Routes routes,
    KeyHeader keyHeader,
    Function<HttpServletRequest, String> scope,
    String fingerprintTag,
    RequestFingerprint fingerprint,
    BodyBudget bodies,
    ReplayedHeaders replayedHeaders,
    Optional<String> expiresHeader,
    String describedBy,
    boolean failOpen) {}
