package dev.idempotency.grpc;

import io.grpc.Metadata;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;

/**
 * What a handler answered, or what is stored of it.
 *
 * @param status it closed with
 * @param trailers it closed with
 * @param headers it sent; empty if it sent none
 * @param messages it sent, as the method's marshaller writes them
 * @param truncated whether its messages are missing, because they were too many, or found no memory
 */
record RecordedAnswer(
    Status status,
    Metadata trailers,
    Optional<Metadata> headers,
    List<byte[]> messages,
    boolean truncated) {}
