package dev.idempotency.client;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** What is optional is used only by the classes that are named for it. */
class ArchitectureTest {

  private static final JavaClasses OURS = Architecture.ofThisModule();

  @Test
  void withoutGrpcAndMicrometerTheHttpHalfIsComplete() {
    noClasses()
        .that()
        .haveNameNotMatching(
            ".*\\.(Grpc\\w+|RetriedCall|CallProgress|StreamProgress|KeyFields|MicrometerRetryListener|SpringRetries|OkHttpRetries|ApacheRetries)(\\$.*)?")
        .should()
        .dependOnClassesThat(
            not(
                resideInAnyPackage(
                    "java..",
                    "javax.net.ssl..",
                    "com.fasterxml.jackson.core..",
                    "org.jspecify..",
                    "dev.idempotency.client")))
        .orShould()
        .dependOnClassesThat()
        .haveNameMatching(
            ".*\\.(Grpc\\w+|RetriedCall|CallProgress|StreamProgress|KeyFields|MicrometerRetryListener|SpringRetries|OkHttpRetries|ApacheRetries)")
        .check(OURS);
  }

  @Test
  void noServerAndNoStoreIsUsed() {
    noClasses()
        .should()
        .dependOnClassesThat(
            resideInAnyPackage(
                "dev.idempotency",
                "dev.idempotency.store..",
                "dev.idempotency.grpc",
                "dev.idempotency.servlet"))
        .check(OURS);
  }
}
