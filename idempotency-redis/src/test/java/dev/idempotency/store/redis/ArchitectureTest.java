package dev.idempotency.store.redis;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import dev.idempotency.testing.Architecture;
import org.junit.jupiter.api.Test;

/** The walls of the Redis store: what each package may use. */
class ArchitectureTest {

  private static final JavaClasses OURS = Architecture.ofThisModule();

  @Test
  void theStoreUsesJedisAndTheSpiOnly() {
    classes()
        .that()
        .resideInAPackage("dev.idempotency.store.redis")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "javax.net..",
            "javax.crypto..",
            "org.jspecify..",
            "org.apache.commons.pool2..",
            "redis.clients..",
            "dev.idempotency.store",
            "dev.idempotency.store.redis")
        .check(OURS);
  }

  @Test
  void theCommandLineLeavesJedisToTheStore() {
    noClasses()
        .that()
        .resideInAPackage("dev.idempotency.tool")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("redis.clients..", "org.apache.commons.pool2..")
        .check(OURS);
  }

  @Test
  void theMachinesClocksAreReadByTheTimeSourceOnly() {
    Architecture.noClocks().check(OURS);
  }
}
