package dev.idempotency.store.redis;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import org.junit.jupiter.api.Test;

/** The walls of the Redis store: what each package may use. */
class ArchitectureTest {

  private static final JavaClasses OURS =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPath(Path.of("target/classes"));

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
    noClasses()
        .should()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(Instant.class, "now")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Clock.class)
        .check(OURS);
  }
}
