package dev.idempotency.grpc;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** The adapter knows the engine and three values, and no store. */
class ArchitectureTest {

  private static final JavaClasses OURS = Architecture.ofThisModule();

  @Test
  void ofTheStorePackagesOnlyThreeValueTypesAreUsed() {
    noClasses()
        .should()
        .dependOnClassesThat(
            resideInAPackage("dev.idempotency.store..")
                .and(not(belongToAnyOf(IdempotencyKey.class, Fingerprint.class, Outcome.class))))
        .check(OURS);
  }

  @Test
  void nothingButGrpcAndProtobufIsNeeded() {
    noClasses()
        .should()
        .dependOnClassesThat(
            not(
                resideInAnyPackage(
                    "java..",
                    "io.grpc..",
                    "com.google.protobuf..",
                    "com.google.rpc..",
                    "com.google.api..",
                    "org.jspecify..",
                    "dev.idempotency",
                    "dev.idempotency.store",
                    "dev.idempotency.v1",
                    "dev.idempotency.proto",
                    "dev.idempotency.grpc")))
        .check(OURS);
  }
}
