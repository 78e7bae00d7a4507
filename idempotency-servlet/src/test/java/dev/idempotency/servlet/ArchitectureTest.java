package dev.idempotency.servlet;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** An adapter knows no store. */
class ArchitectureTest {

  private static final JavaClasses OURS = Architecture.ofThisModule();

  @Test
  void onlyTheEngineAndTheStoresValueTypesAreUsed() {
    DescribedPredicate<JavaClass> values =
        belongToAnyOf(IdempotencyKey.class, Fingerprint.class, Outcome.class, StoreException.class);
    noClasses()
        .should()
        .dependOnClassesThat(resideInAPackage("dev.idempotency.store..").and(not(values)))
        .check(OURS);
  }

  @Test
  void nothingButTheServletApiIsNeeded() {
    noClasses()
        // What needs it is loaded only when the application asks for canonical JSON.
        .that()
        .haveNameNotMatching(".*\\.(CanonicalJson|JsonKey)(\\$.*)?")
        .should()
        .dependOnClassesThat(
            not(
                resideInAnyPackage(
                    "java..",
                    "javax.security.auth.x500..",
                    "jakarta.servlet..",
                    "org.jspecify..",
                    "dev.idempotency",
                    "dev.idempotency.store",
                    "dev.idempotency.servlet")))
        .check(OURS);
  }
}
