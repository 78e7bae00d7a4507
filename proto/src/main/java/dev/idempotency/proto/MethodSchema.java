package dev.idempotency.proto;

import com.google.protobuf.Descriptors;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoMethodDescriptorSupplier;
import java.util.Optional;

/**
 * What is known of a gRPC method's .proto. Needs {@code grpc-protobuf} on the class path, which
 * both sides of a protobuf method have.
 *
 * @param method empty if the method was not made from a .proto
 * @param request the type of the messages that its marshaller makes; empty if they cannot be read
 *     by descriptor
 */
public record MethodSchema(
    Optional<Descriptors.MethodDescriptor> method, Optional<Descriptor> request) {

  /** The schema of a method as gRPC has it. */
  public static MethodSchema of(MethodDescriptor<?, ?> method) {
    Optional<Descriptors.MethodDescriptor> proto =
        method.getSchemaDescriptor() instanceof ProtoMethodDescriptorSupplier supplier
            ? Optional.of(supplier.getMethodDescriptor())
            : Optional.empty();
    return new MethodSchema(proto, requestOf(method, proto));
  }

  private static Optional<Descriptor> requestOf(
      MethodDescriptor<?, ?> method, Optional<Descriptors.MethodDescriptor> proto) {
    if (method.getRequestMarshaller() instanceof MethodDescriptor.PrototypeMarshaller<?> marshaller
        && marshaller.getMessagePrototype() != null) {
      return marshaller.getMessagePrototype() instanceof Message message
          ? Optional.of(message.getDescriptorForType())
          : Optional.empty();
    }
    return proto.map(Descriptors.MethodDescriptor::getInputType);
  }
}
