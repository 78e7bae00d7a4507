package dev.idempotency.grpc;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import dev.idempotency.v1.PolicyProto;
import org.junit.jupiter.api.Test;

/** One jar for protobuf-java 3.25, which gRPC brings along, and for 4.x. */
class ProtobufVersionsTest {

  @Test
  void generatedPolicyNeedsNoClassThatProtobuf3Lacks() {
    noClasses()
        .should()
        .dependOnClassesThat(
            simpleName("GeneratedFile")
                .or(simpleName("RuntimeVersion"))
                .or(simpleName("RuntimeVersion$RuntimeDomain")))
        .check(new ClassFileImporter().importPackages("dev.idempotency.v1"));
  }

  /** Compiled against 4.x, the same sources have methods that 3.25 cannot verify. */
  @Test
  void generatedPolicyIsCompiledAgainstProtobuf3() throws Exception {
    assertThat(
            dev.idempotency.v1.MethodPolicy.class
                .getDeclaredMethod("internalGetFieldAccessorTable")
                .getReturnType()
                .getName())
        .isEqualTo("com.google.protobuf.GeneratedMessageV3$FieldAccessorTable");
    assertThat(dev.idempotency.v1.MethodPolicy.class.getDeclaredMethods())
        .filteredOn(method -> method.getName().equals("internalGetFieldAccessorTable"))
        .hasSize(1);
  }

  @Test
  void testsRunOnTheProtobufThatTheBuildAskedFor() {
    boolean is4 = Message.class.getResource("RuntimeVersion.class") != null;
    assertThat(is4)
        .isEqualTo(!System.getProperty("idempotency.test.protobuf", "4").startsWith("3."));
  }

  @Test
  void policyImportsOnlyWhatEveryProtocBrings() {
    assertThat(PolicyProto.getDescriptor().getDependencies())
        .extracting(file -> file.getName())
        .containsExactlyInAnyOrder(
            "google/protobuf/descriptor.proto", "google/protobuf/duration.proto");
    assertThat(PolicyProto.getDescriptor().getOptions().getGoPackage()).isNotEmpty();
  }
}
