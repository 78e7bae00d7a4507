package dev.idempotency.grpc;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import org.junit.jupiter.api.Test;

class ArchitectureTest {

  @Test
  void theAdapterKnowsTheEngineAndValueTypesButNoStore() {
    ArchRule rule =
        noClasses()
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("dev.idempotency.store.IdempotencyStore")
            .orShould()
            .dependOnClassesThat()
            .resideInAnyPackage(
                "dev.idempotency.store.memory..",
                "dev.idempotency.store.redis..",
                "dev.idempotency.jdbc..",
                "dev.idempotency.servlet..");
    rule.check(
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("dev.idempotency.grpc"));
  }
}
