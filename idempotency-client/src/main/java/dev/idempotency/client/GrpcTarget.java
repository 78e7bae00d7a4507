package dev.idempotency.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Context;
import io.grpc.MethodDescriptor;

/**
 * Where a call goes.
 *
 * @param context of the caller, which attempts made by other threads must have too
 * @param domain of the server's own errors
 */
record GrpcTarget<ReqT, RespT>(
    MethodDescriptor<ReqT, RespT> method,
    CallOptions options,
    Channel next,
    Context context,
    String domain) {}
