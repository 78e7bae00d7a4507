package dev.idempotency;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** The walls of the core: what each package may use. */
class ArchitectureTest {

  private static final JavaClasses CORE = Architecture.ofThisModule();

  @Test
  void theEngineUsesOnlyTheJdkAndTheStoreSpi() {
    classes()
        .that()
        .resideInAPackage("dev.idempotency")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", "org.jspecify..", "dev.idempotency", "dev.idempotency.store")
        .check(CORE);
  }

  @Test
  void theSpiUsesOnlyTheJdk() {
    classes()
        .that()
        .resideInAPackage("dev.idempotency.store")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", "javax.crypto..", "org.jspecify..", "dev.idempotency.store")
        .check(CORE);
  }

  @Test
  void storesDoNotKnowTheEngine() {
    noClasses()
        .that()
        .resideInAPackage("dev.idempotency.store..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.idempotency")
        .check(CORE);
  }

  @Test
  void nothingButTheJdkIsNeeded() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "javax.crypto..",
            "org.jspecify..",
            "dev.idempotency",
            "dev.idempotency.store..")
        .andShould()
        .onlyDependOnClassesThat()
        .resideOutsideOfPackages("java.sql..", "java.net.http..")
        .check(CORE);
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching("dev.idempotency.(**)").should().beFreeOfCycles().check(CORE);
  }

  @Test
  void onlyOneClassReadsTheMachinesClocks() {
    Architecture.noClocksBut("dev.idempotency.store.SystemTimeSource").check(CORE);
  }
}
