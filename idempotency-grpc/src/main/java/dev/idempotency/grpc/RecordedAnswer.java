package dev.idempotency.grpc;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Optional;

/**
 * What a handler answered, or what is stored of it.
 *
 * @param status it closed with
 * @param trailers it closed with
 * @param headers it sent; empty if it sent none
 * @param message it sent, as the method's marshaller writes it; empty if it sent none
 */
record RecordedAnswer(
    Status status, Metadata trailers, Optional<Metadata> headers, Optional<byte[]> message) {}
