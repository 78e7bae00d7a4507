package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import dev.idempotency.v1.PolicyProto;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The published .proto follows the rules of buf's STANDARD lint that a descriptor shows. */
class ProtoStyleTest {

  private static final FileDescriptor POLICY = PolicyProto.getDescriptor();
  private static final String SNAKE = "[a-z][a-z0-9]*(_[a-z0-9]+)*";
  private static final String PASCAL = "([A-Z][a-z0-9]*)+";

  @Test
  void thePackageHasAVersionAndStandsInItsFolder() {
    assertThat(POLICY.getPackage()).matches("([a-z][a-z0-9]*\\.)+v[0-9]+((alpha|beta)[0-9]*)?");
    assertThat(POLICY.getName())
        .matches(POLICY.getPackage().replace('.', '/') + "/[a-z_]+\\.proto");
    assertThat(POLICY.toProto().getSyntax()).isEqualTo("proto3");
    assertThat(POLICY.getOptions().getJavaMultipleFiles()).isTrue();
    assertThat(POLICY.getOptions().getJavaPackage()).endsWith(POLICY.getPackage());
    assertThat(POLICY.toProto().getWeakDependencyList()).isEmpty();
    assertThat(POLICY.toProto().getPublicDependencyList()).isEmpty();
  }

  @Test
  void messagesFieldsAndEnumsAreNamedAsIsUsual() {
    List<Descriptor> messages = new ArrayList<>(POLICY.getMessageTypes());
    assertThat(messages).hasSizeGreaterThanOrEqualTo(2);
    for (Descriptor message : messages) {
      assertThat(message.getName()).matches(PASCAL);
      assertThat(message.getFields())
          .allSatisfy(field -> assertThat(field.getName()).matches(SNAKE));
      assertThat(message.getEnumTypes()).allSatisfy(ProtoStyleTest::checkEnum);
    }
    assertThat(POLICY.getEnumTypes()).allSatisfy(ProtoStyleTest::checkEnum);
  }

  private static void checkEnum(EnumDescriptor type) {
    assertThat(type.getName()).matches(PASCAL);
    String prefix =
        type.getName().replaceAll("(?<=.)([A-Z])", "_$1").toUpperCase(Locale.ROOT) + "_";
    assertThat(type.getValues())
        .extracting(EnumValueDescriptor::getName)
        .allSatisfy(name -> assertThat(name).startsWith(prefix).matches("[A-Z0-9_]+"));
    assertThat(type.getValues().get(0).getNumber()).isZero();
    assertThat(type.getValues().get(0).getName()).isEqualTo(prefix + "UNSPECIFIED");
    assertThat(type.toProto().getOptions().getAllowAlias()).isFalse();
  }

  @Test
  void theNumbersOfThePolicyNeverChange() {
    assertThat(POLICY.getExtensions())
        .allSatisfy(each -> assertThat(each.getNumber()).isEqualTo(51417));
    assertThat(numbers(POLICY.findMessageTypeByName("MethodPolicy")))
        .isEqualTo(
            Map.ofEntries(
                Map.entry("mode", 1),
                Map.entry("key_field", 2),
                Map.entry("ttl", 3),
                Map.entry("lease", 4),
                Map.entry("in_flight", 5),
                Map.entry("max_wait", 6),
                Map.entry("in_doubt", 7),
                Map.entry("record_codes", 8),
                Map.entry("release_codes", 9),
                Map.entry("in_doubt_codes", 10),
                Map.entry("max_stream_messages", 11),
                Map.entry("refusal_ttl", 12)));
    assertThat(numbers(POLICY.findMessageTypeByName("FieldPolicy")))
        .isEqualTo(Map.of("key", 1, "fingerprint", 2));
  }

  private static Map<String, Integer> numbers(Descriptor message) {
    return message.getFields().stream()
        .collect(
            java.util.stream.Collectors.toMap(
                FieldDescriptor::getName, FieldDescriptor::getNumber));
  }
}
