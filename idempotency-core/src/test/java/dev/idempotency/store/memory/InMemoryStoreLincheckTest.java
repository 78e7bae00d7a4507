package dev.idempotency.store.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.TestClock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import org.jetbrains.lincheck.LincheckAssertionError;
import org.jetbrains.lincheck.datastructures.IntGen;
import org.jetbrains.lincheck.datastructures.ModelCheckingOptions;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;
import org.jetbrains.lincheck.datastructures.StressOptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Whether the verbs of the in-memory store are atomic: every concurrent history of two keys and
 * three owners must have an order in which it could have happened one call after the other.
 *
 * <p>Time stands still, and tokens are fixed: the sequential runs must give the same answers.
 */
class InMemoryStoreLincheckTest {

  /** Times as many scenarios as the plain form: {@code -Dlincheck.scale=20} for a long one. */
  private static final int SCALE = Integer.getInteger("lincheck.scale", 1);

  private static final Duration LEASE = Duration.ofSeconds(30);
  private static final Duration TTL = Duration.ofHours(1);
  private static final Fingerprint FINGERPRINT =
      Fingerprint.builder("test/1").add("transfer").build();

  private static IdempotencyKey key(int number) {
    return IdempotencyKey.of("key-" + number);
  }

  private static ClaimRequest request(int key, int owner) {
    byte[] token = new byte[OwnerToken.LENGTH];
    Arrays.fill(token, (byte) owner);
    return new ClaimRequest(
        key(key), FINGERPRINT, OwnerToken.of(token), LEASE, TTL, OptionalLong.empty(), true);
  }

  private static Lease lease(int key, int owner) {
    return Lease.granted(request(key, owner), 1, 1, 0);
  }

  private static String told(Claim claim) {
    if (claim instanceof Claim.Acquired acquired) {
      return "acquired, attempt " + acquired.lease().attempt();
    }
    return told((StoredRecord) claim);
  }

  private static String told(StoredRecord standing) {
    return standing instanceof StoredRecord.Completed completed
        ? "completed with " + completed.outcome().size()
        : standing.getClass().getSimpleName();
  }

  /** The store's verbs with arguments that Lincheck can draw. */
  @Param(name = "key", gen = IntGen.class, conf = "1:2")
  @Param(name = "owner", gen = IntGen.class, conf = "1:3")
  public static class Verbs {

    private final IdempotencyStore store = InMemoryIdempotencyStore.create(new TestClock(), 10);

    @Operation
    public String claim(@Param(name = "key") int key, @Param(name = "owner") int owner) {
      return told(store.claim(request(key, owner)));
    }

    @Operation
    public String complete(@Param(name = "key") int key, @Param(name = "owner") int owner) {
      Outcome outcome = Outcome.of("test/1", new byte[owner]);
      return store.complete(lease(key, owner), outcome).getClass().getSimpleName();
    }

    @Operation
    public String release(@Param(name = "key") int key, @Param(name = "owner") int owner) {
      return store.release(lease(key, owner)).name();
    }

    @Operation
    public boolean renew(@Param(name = "key") int key, @Param(name = "owner") int owner) {
      return store.renew(lease(key, owner)).isPresent();
    }

    @Operation
    public String find(@Param(name = "key") int key) {
      Optional<StoredRecord> found = store.find(List.of(key(key))).get(0);
      return found.map(InMemoryStoreLincheckTest::told).orElse("absent");
    }
  }

  /** A store that looks first and writes then: what the tests must find. */
  @Param(name = "key", gen = IntGen.class, conf = "1:2")
  @Param(name = "owner", gen = IntGen.class, conf = "1:3")
  public static class ChecksThenActs {

    private final ConcurrentHashMap<Integer, Integer> owners = new ConcurrentHashMap<>();

    @Operation
    public boolean claim(@Param(name = "key") int key, @Param(name = "owner") int owner) {
      if (owners.get(key) != null) {
        return owners.get(key) == owner;
      }
      owners.put(key, owner);
      return true;
    }
  }

  private static ModelCheckingOptions modelChecking() {
    return new ModelCheckingOptions()
        .threads(2)
        .actorsPerThread(3)
        .actorsBefore(1)
        .actorsAfter(1)
        .iterations(2 * SCALE)
        .invocationsPerIteration(50)
        .minimizeFailedScenario(false);
  }

  private static StressOptions stress() {
    return new StressOptions()
        .threads(2)
        .actorsPerThread(3)
        .actorsBefore(1)
        .actorsAfter(1)
        .iterations(3 * SCALE)
        .invocationsPerIteration(200)
        .minimizeFailedScenario(false);
  }

  @Test
  void everyInterleavingOfTheVerbsHasASequentialOrder() {
    modelChecking().check(Verbs.class);
  }

  @Test
  @Tag("soak")
  void theVerbsUnderStressHaveASequentialOrder() {
    stress().check(Verbs.class);
  }

  @Test
  void aClaimThatLooksFirstAndWritesThenIsFound() {
    assertThatThrownBy(() -> modelChecking().check(ChecksThenActs.class))
        .isInstanceOf(LincheckAssertionError.class)
        .satisfies(failure -> assertThat(failure.getMessage()).contains("claim"));
  }
}
