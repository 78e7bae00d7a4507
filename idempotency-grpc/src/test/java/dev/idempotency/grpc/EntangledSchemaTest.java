package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldOptions;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import dev.idempotency.proto.KeyField;
import dev.idempotency.v1.FieldPolicy;
import dev.idempotency.v1.PolicyProto;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Requests of types that hold each other, as in schemas of queries and expressions: there are more
 * paths through them than could ever be walked.
 */
@Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class EntangledSchemaTest {

  private static final int TYPES = 16;

  private static FieldDescriptorProto.Builder field(String name, int number) {
    return FieldDescriptorProto.newBuilder()
        .setName(name)
        .setNumber(number)
        .setLabel(FieldDescriptorProto.Label.LABEL_OPTIONAL);
  }

  private static FieldDescriptorProto holds(String name, int number, String type) {
    return field(name, number)
        .setType(FieldDescriptorProto.Type.TYPE_MESSAGE)
        .setTypeName(".entangled.v1." + type)
        .build();
  }

  private static FieldDescriptorProto marked(String name, int number) {
    FieldPolicy key = FieldPolicy.newBuilder().setKey(true).build();
    return field(name, number)
        .setType(FieldDescriptorProto.Type.TYPE_STRING)
        .setOptions(FieldOptions.newBuilder().setExtension(PolicyProto.field, key))
        .build();
  }

  /** A request with a header, and with a tree of types each of which holds all others. */
  private static Descriptor request(boolean keyInHeader, boolean keyInTree) throws Exception {
    FileDescriptorProto.Builder file =
        FileDescriptorProto.newBuilder()
            .setName("entangled.proto")
            .setPackage("entangled.v1")
            .setSyntax("proto3");
    DescriptorProto.Builder header = DescriptorProto.newBuilder().setName("Header");
    if (keyInHeader) {
      header.addField(marked("id", 1));
    }
    file.addMessageType(header);
    file.addMessageType(
        DescriptorProto.newBuilder()
            .setName("Request")
            .addField(holds("tree", 1, "T0"))
            .addField(holds("header", 2, "Header")));
    for (int i = 0; i < TYPES; i++) {
      DescriptorProto.Builder type = DescriptorProto.newBuilder().setName("T" + i);
      for (int j = 0; j < TYPES; j++) {
        type.addField(holds("t" + j, j + 1, "T" + j));
      }
      if (keyInTree && i == TYPES - 1) {
        type.addField(marked("key", TYPES + 1));
      }
      file.addMessageType(type);
    }
    return FileDescriptor.buildFrom(file.build(), new FileDescriptor[0])
        .findMessageTypeByName("Request");
  }

  @Test
  void whereNothingIsMarkedThereIsNoKey() throws Exception {
    assertThat(KeyField.marked(request(false, false))).isEmpty();
  }

  @Test
  void theOneMarkIsFound() throws Exception {
    assertThat(KeyField.marked(request(true, false)).orElseThrow().toString())
        .isEqualTo("header.id");
  }

  @Test
  void aMarkThatCanBeReachedByMoreThanOnePathIsRefused() throws Exception {
    Descriptor request = request(false, true);
    assertThatThrownBy(() -> KeyField.marked(request))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("more than one field is marked as key");
  }
}
