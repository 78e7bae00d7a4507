package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.AccessTarget.ConstructorCallTarget;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import dev.idempotency.testing.Architecture;
import java.lang.reflect.Executable;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import redis.clients.jedis.UnifiedJedis;

/**
 * Every method of Jedis that the store calls is there, with the types that the call was compiled
 * with, in the version that the tests run on. A call of one that is not fails when it is reached,
 * perhaps only in a failure. {@code -Djedis.tested.version=6.0.0} runs it on another version.
 */
class JedisLinkageTest {

  /** Where a class or method is used only after a look whether there is one. */
  private static final Set<String> LOOKED_FOR =
      Set.of(
          "redis.clients.jedis.RedisClusterClient",
          "redis.clients.jedis.builders.ClusterClientBuilder",
          "getPrimaryNodes");

  @Test
  void whatTheStoreCallsIsInThisVersionOfJedis() {
    Set<String> missing = new TreeSet<>();
    int seen = 0;
    for (JavaClass each : Architecture.ofThisModule()) {
      for (JavaAccess<?> access : each.getAccessesFromSelf()) {
        AccessTarget target = access.getTarget();
        if (!target.getOwner().getPackageName().startsWith("redis.clients")) {
          continue;
        }
        seen++;
        if (LOOKED_FOR.stream().noneMatch(target.getFullName()::contains) && !isThere(target)) {
          missing.add(target.getFullName() + " called by " + access.getOrigin().getFullName());
        }
      }
    }
    assertThat(seen).isGreaterThan(50);
    assertThat(missing).as("calls that %s does not have", version()).isEmpty();
  }

  @Test
  void theVersionIsTheOneThatWasAskedFor() {
    String asked = System.getProperty("idempotency.test.jedis");
    if (asked != null) {
      assertThat(version()).contains("jedis-" + asked);
    }
  }

  private static String version() {
    return UnifiedJedis.class.getProtectionDomain().getCodeSource().getLocation().toString();
  }

  private static boolean isThere(AccessTarget target) {
    Class<?> owner;
    try {
      owner = Class.forName(target.getOwner().getName());
    } catch (ClassNotFoundException | LinkageError e) {
      return false;
    }
    if (target instanceof ConstructorCallTarget call) {
      return Arrays.stream(owner.getDeclaredConstructors()).anyMatch(each -> takes(each, call));
    }
    if (target instanceof CodeUnitAccessTarget call) {
      return withSupertypes(owner)
          .flatMap(type -> Arrays.stream(type.getDeclaredMethods()))
          .anyMatch(each -> is(each, call));
    }
    return withSupertypes(owner)
        .flatMap(type -> Arrays.stream(type.getDeclaredFields()))
        .anyMatch(each -> each.getName().equals(target.getName()));
  }

  /** By its return type too, as the JVM links. */
  private static boolean is(Method method, CodeUnitAccessTarget call) {
    return method.getName().equals(call.getName())
        && method.getReturnType().getName().equals(call.getRawReturnType().getName())
        && takes(method, call);
  }

  private static boolean takes(Executable member, CodeUnitAccessTarget call) {
    List<String> types = Arrays.stream(member.getParameterTypes()).map(Class::getName).toList();
    return types.equals(
        call.getRawParameterTypes().stream().map(JavaClass::getName).collect(Collectors.toList()));
  }

  private static Stream<Class<?>> withSupertypes(Class<?> type) {
    Set<Class<?>> found = new HashSet<>();
    collect(type, found);
    return found.stream();
  }

  private static void collect(Class<?> type, Set<Class<?>> into) {
    into.add(type);
    if (type.getSuperclass() != null) {
      collect(type.getSuperclass(), into);
    }
    for (Class<?> each : type.getInterfaces()) {
      collect(each, into);
    }
  }
}
