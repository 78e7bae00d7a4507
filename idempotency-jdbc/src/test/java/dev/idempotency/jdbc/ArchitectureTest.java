package dev.idempotency.jdbc;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** The ledger guard knows JDBC and the engine, no driver and no other store. */
class ArchitectureTest {

  private static final JavaClasses OURS = Architecture.ofThisModule();

  @Test
  void onlyJdbcAndTheCoreAreUsed() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "javax.sql..",
            "org.jspecify..",
            "dev.idempotency",
            "dev.idempotency.store",
            "dev.idempotency.jdbc")
        .check(OURS);
  }

  @Test
  void theMachinesClocksAreReadByTheTimeSourceOnly() {
    Architecture.noClocks().check(OURS);
  }
}
