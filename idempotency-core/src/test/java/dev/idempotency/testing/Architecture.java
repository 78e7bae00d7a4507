package dev.idempotency.testing;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.syntax.elements.ClassesShould;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;

/** What the architecture tests of all modules share. */
public final class Architecture {

  private Architecture() {}

  /** The main classes of the module that is tested, and no others. */
  public static JavaClasses ofThisModule() {
    return new ClassFileImporter().importPath(Path.of("target/classes"));
  }

  /** Time comes from the store's time source, so that tests can set it. */
  public static ArchRule noClocksBut(String className) {
    return noClocks(noClasses().that().doNotHaveFullyQualifiedName(className).should());
  }

  /** As {@link #noClocksBut(String)}, without an exception. */
  public static ArchRule noClocks() {
    return noClocks(noClasses().should());
  }

  private static ArchRule noClocks(ClassesShould classes) {
    return classes
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(System.class, "currentTimeMillis")
        .orShould()
        .callMethod(Instant.class, "now")
        .orShould()
        .dependOnClassesThat()
        .areAssignableTo(Clock.class);
  }
}
