package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.DirectClient;
import dev.idempotency.testing.FaultProxy;
import dev.idempotency.testing.Linearizability;
import dev.idempotency.testing.Linearizability.Call;
import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Two stores on one Redis, each behind a network that loses, delays and cuts at random: what their
 * callers saw must be explained, key by key, by the record's states one after the other.
 *
 * <p>Leases do not end by time here, only by {@code abandon}: so the model needs no clock.
 */
@Timeout(300)
class RandomFaultsTest {

  private static final Duration LEASE = Duration.ofHours(1);
  private static final Duration TTL = Duration.ofHours(24);
  private static final Fingerprint FINGERPRINT = Fingerprint.builder("test/1").add("x").build();
  private static final int WORKERS_PER_STORE = 2;
  private static final int OPERATIONS = 12;
  private static final int KEYS = 3;

  private static RedisProcess redis;
  private static DirectClient direct;

  @BeforeAll
  static void start() {
    redis = RedisProcess.start();
    direct = new DirectClient(redis.port());
  }

  @AfterAll
  static void stop() {
    direct.close();
    redis.close();
  }

  /** What was asked of one key, and what came back; the answer of an unanswered call is "". */
  private record Step(String verb, OwnerToken token, long takeover, String answer, long fence) {
    /** Tells tokens apart without showing them. */
    @Override
    public String toString() {
      return "\n"
          + String.join(" ", verb, outcomeOf(this), takeover + "", "->", answer, fence + "");
    }
  }

  /** The record as the model has it. */
  private record Model(State state, Optional<OwnerToken> owner, long fence, String outcome) {
    static final long UNKNOWN = -1;

    static Model absent() {
      return new Model(State.ABSENT, Optional.empty(), 0, "");
    }

    Model in(State next) {
      return new Model(next, owner, fence, outcome);
    }

    boolean isOwnedBy(Step step) {
      return owner.isPresent() && owner.get().equals(step.token());
    }

    List<Model> step(Step step, boolean answered) {
      return switch (step.verb()) {
        case "claim" -> claim(step, answered);
        case "complete" -> complete(step, answered);
        case "release" ->
            isOwnedBy(step) && state != State.COMPLETED
                ? ended(step, answered, "RELEASED", "NOT_OWNER", in(State.RELEASED))
                : when(step, answered, state == State.ABSENT ? "ABSENT" : "NOT_OWNER", this);
        case "abandon" ->
            isOwnedBy(step) && (state == State.IN_FLIGHT || state == State.ABANDONED)
                ? ended(step, answered, "true", "false", in(State.ABANDONED))
                : when(step, answered, "false", this);
        default -> throw new AssertionError(step);
      };
    }

    /**
     * One call may be sent twice, and the second send find that somebody else has the key since the
     * first: then the answer is the late one.
     */
    private static List<Model> ended(
        Step step, boolean answered, String answer, String late, Model next) {
      boolean fits = !answered || step.answer().equals(answer) || step.answer().equals(late);
      return fits ? List.of(next) : List.of();
    }

    private List<Model> claim(Step step, boolean answered) {
      if (state == State.COMPLETED) {
        return when(step, answered, outcome, this);
      }
      if (state == State.ABSENT || state == State.RELEASED) {
        return own(step, answered);
      }
      if (state == State.IN_FLIGHT) {
        return seen(step, answered, isOwnedBy(step) ? "acquired" : "in flight", state);
      }
      List<Model> next = new ArrayList<>(seen(step, answered, "abandoned", state));
      if (step.takeover() == fence) {
        return own(step, answered);
      }
      if (fence == UNKNOWN && step.takeover() > 0) {
        next.addAll(own(step, answered));
      }
      return next;
    }

    private List<Model> own(Step step, boolean answered) {
      if (answered && (!step.answer().equals("acquired") || step.fence() <= fence)) {
        return List.of();
      }
      return List.of(
          new Model(
              State.IN_FLIGHT, Optional.of(step.token()), answered ? step.fence() : UNKNOWN, ""));
    }

    /** The answer shows the fence: it must be the known one. */
    private List<Model> seen(Step step, boolean answered, String answer, State next) {
      if (!answered) {
        return List.of(in(next));
      }
      boolean fits = step.answer().equals(answer) && (fence == UNKNOWN || fence == step.fence());
      return fits ? List.of(new Model(next, owner, step.fence(), outcome)) : List.of();
    }

    private List<Model> complete(Step step, boolean answered) {
      Model done = new Model(State.COMPLETED, Optional.of(step.token()), fence, outcomeOf(step));
      if (state == State.ABSENT) {
        return when(step, answered, "Restored", done);
      }
      if (!isOwnedBy(step) || state == State.RELEASED) {
        return when(step, answered, "FencedOff", this);
      }
      // One call may be sent twice, so it may find what it wrote itself.
      return state == State.COMPLETED
          ? when(step, answered, "AlreadyRecorded", this)
          : answered && step.answer().equals("AlreadyRecorded")
              ? List.of(done)
              : when(step, answered, "Recorded", done);
    }

    private static List<Model> when(Step step, boolean answered, String answer, Model next) {
      return !answered || step.answer().equals(answer) ? List.of(next) : List.of();
    }
  }

  private enum State {
    ABSENT,
    IN_FLIGHT,
    ABANDONED,
    RELEASED,
    COMPLETED
  }

  private static String outcomeOf(Step step) {
    return "by " + Integer.toHexString(step.token().hashCode());
  }

  /** One caller of a store: claims the keys at random and ends what it owns, recording it all. */
  private static final class Caller {
    private final RedisIdempotencyStore store;
    private final Function<ClaimRequest, Claim> claimer;
    private final SplittableRandom random;
    private final List<IdempotencyKey> keys;
    private final List<Queue<Call<Step>>> histories;

    Caller(
        RedisIdempotencyStore store,
        Function<ClaimRequest, Claim> claimer,
        SplittableRandom random,
        List<IdempotencyKey> keys,
        List<Queue<Call<Step>>> histories) {
      this.store = store;
      this.claimer = claimer;
      this.random = random;
      this.keys = keys;
      this.histories = histories;
    }

    void run() {
      for (int i = 0; i < OPERATIONS; i++) {
        int each = random.nextInt(keys.size());
        ClaimRequest request = ClaimRequest.of(keys.get(each), FINGERPRINT, LEASE, TTL);
        Optional<Claim> claim = claim(each, request);
        if (claim.isPresent() && claim.get() instanceof StoredRecord.Abandoned abandoned) {
          claim = claim(each, request.takingOver(abandoned.fence()));
        }
        if (claim.isPresent() && claim.get() instanceof Claim.Acquired acquired) {
          end(each, acquired.lease());
        }
      }
    }

    private Optional<Claim> claim(int each, ClaimRequest request) {
      long takeover = request.takeover().orElse(0);
      for (int send = 0; send < 3; send++) {
        long invoked = System.nanoTime();
        try {
          Claim claim = claimer.apply(request);
          record(each, invoked, claimed(request, takeover, claim));
          return Optional.of(claim);
        } catch (StoreException e) {
          unanswered(each, invoked, new Step("claim", request.token(), takeover, "", 0));
        }
      }
      return Optional.empty();
    }

    private static Step claimed(ClaimRequest request, long takeover, Claim claim) {
      String answer;
      long fence = 0;
      if (claim instanceof Claim.Acquired acquired) {
        answer = "acquired";
        fence = acquired.lease().fence();
      } else if (claim instanceof StoredRecord.InFlight inFlight) {
        answer = "in flight";
        fence = inFlight.fence();
      } else if (claim instanceof StoredRecord.Abandoned abandoned) {
        answer = "abandoned";
        fence = abandoned.fence();
      } else {
        answer = new String(((StoredRecord.Completed) claim).outcome().toBytes(), UTF_8);
      }
      return new Step("claim", request.token(), takeover, answer, fence);
    }

    private void end(int each, Lease lease) {
      int choice = random.nextInt(10);
      String verb = choice < 3 ? "complete" : choice < 7 ? "release" : "abandon";
      Step step = new Step(verb, lease.token(), 0, "", 0);
      for (int send = 0; send < 3; send++) {
        long invoked = System.nanoTime();
        try {
          String answer = end(verb, lease, step);
          record(each, invoked, new Step(verb, lease.token(), 0, answer, 0));
          return;
        } catch (StoreException e) {
          unanswered(each, invoked, step);
        }
      }
    }

    private String end(String verb, Lease lease, Step step) {
      return switch (verb) {
        case "complete" -> {
          Outcome outcome = Outcome.of("test/1", outcomeOf(step).getBytes(UTF_8));
          CompleteResult result = store.complete(lease, outcome);
          yield result.getClass().getSimpleName();
        }
        case "release" -> {
          ReleaseResult result = store.release(lease);
          yield result.name();
        }
        default -> Boolean.toString(store.abandon(lease));
      };
    }

    private void record(int each, long invoked, Step step) {
      histories.get(each).add(new Call<>(invoked, System.nanoTime(), step));
    }

    private void unanswered(int each, long invoked, Step step) {
      histories.get(each).add(Call.unanswered(invoked, step));
    }
  }

  /** What one schedule showed. */
  private record Run(List<List<Call<Step>>> histories, int faults) {

    /** Keys whose histories no order of steps explains, or that break a promise by themselves. */
    List<List<Call<Step>>> broken() {
      return histories.stream()
          .filter(
              history ->
                  !Linearizability.isLinearizable(Model.absent(), history, Model::step)
                      || !keepsPromises(history))
          .toList();
    }

    /** Each fence has one owner, and all who saw an outcome saw the same. */
    private static boolean keepsPromises(List<Call<Step>> history) {
      long fences =
          history.stream()
              .map(Call::operation)
              .filter(Run::owns)
              .map(Step::fence)
              .distinct()
              .count();
      long owners =
          history.stream()
              .map(Call::operation)
              .filter(Run::owns)
              .map(Step::token)
              .distinct()
              .count();
      long outcomes =
          history.stream()
              .map(Call::operation)
              .filter(step -> step.verb().equals("claim") && step.answer().startsWith("by "))
              .map(Step::answer)
              .distinct()
              .count();
      return fences == owners && outcomes <= 1;
    }

    private static boolean owns(Step step) {
      return step.answer().equals("acquired");
    }
  }

  private static Run run(
      long seed,
      int percent,
      Function<RedisIdempotencyStore, Function<ClaimRequest, Claim>> variant)
      throws Exception {
    List<IdempotencyKey> keys = new ArrayList<>();
    List<Queue<Call<Step>>> histories = new ArrayList<>();
    for (int i = 0; i < KEYS; i++) {
      keys.add(new IdempotencyKey("seed-" + seed, "key-" + i));
      histories.add(new ConcurrentLinkedQueue<>());
    }
    direct.flushAll();
    ExecutorService threads = Executors.newFixedThreadPool(2 * WORKERS_PER_STORE);
    int faults;
    try (FaultProxy left = FaultProxy.before(redis);
        FaultProxy right = FaultProxy.before(redis);
        RedisIdempotencyStore one = through(left);
        RedisIdempotencyStore two = through(right)) {
      left.follow(FaultProxy.random(seed, percent, Duration.ofMillis(60)));
      right.follow(FaultProxy.random(~seed, percent, Duration.ofMillis(60)));
      CyclicBarrier together = new CyclicBarrier(2 * WORKERS_PER_STORE);
      List<Future<?>> callers = new ArrayList<>();
      for (int i = 0; i < 2 * WORKERS_PER_STORE; i++) {
        RedisIdempotencyStore store = i % 2 == 0 ? one : two;
        SplittableRandom random = new SplittableRandom(seed * 1_000 + i);
        Caller caller = new Caller(store, variant.apply(store), random, keys, histories);
        callers.add(
            threads.submit(
                () -> {
                  together.await();
                  caller.run();
                  return null;
                }));
      }
      for (Future<?> caller : callers) {
        caller.get();
      }
      faults = left.faults() + right.faults();
    } finally {
      threads.shutdownNow();
    }
    return new Run(histories.stream().<List<Call<Step>>>map(ArrayList::new).toList(), faults);
  }

  private static RedisIdempotencyStore through(FaultProxy proxy) {
    return RedisIdempotencyStore.builder()
        .namespace("test")
        .uri(proxy.uri())
        .timeout(Duration.ofMillis(40))
        .build();
  }

  /** A claim in two steps: the seeded bug. */
  private static Claim claimInTwoSteps(ClaimRequest request, RedisIdempotencyStore store) {
    byte[] key = new KeySpace("idem:", "test").redisKey(request.key());
    if (direct.get(key) != null) {
      return store.claim(request);
    }
    Lease lease = Lease.granted(request, System.nanoTime(), 1, System.nanoTime());
    byte[] record =
        RedisIdempotencyStore.builder().namespace("test").records().inFlight(key, lease);
    direct.psetex(key, TTL.toMillis(), record);
    return new Claim.Acquired(lease);
  }

  private static void explore(long firstSeed, int seeds) throws Exception {
    int faults = 0;
    for (long seed = firstSeed; seed < firstSeed + seeds; seed++) {
      Run run = run(seed, 15, store -> store::claim);
      assertThat(run.broken()).as("unexplained histories of seed " + seed).isEmpty();
      faults += run.faults();
    }
    assertThat(faults).as("faults injected").isGreaterThan(seeds);
  }

  @Test
  void whatCallersSawIsExplainedByOneRecordAtATime() throws Exception {
    explore(1, 8);
  }

  @Test
  @Tag("soak")
  void whatCallersSawIsExplainedByOneRecordAtATimeForMinutes() throws Exception {
    explore(1_000, 300);
  }

  @Test
  void aClaimInTwoStepsIsCaught() throws Exception {
    long broken = 0;
    for (long seed = 1; seed <= 20 && broken == 0; seed++) {
      broken += run(seed, 0, store -> request -> claimInTwoSteps(request, store)).broken().size();
    }
    assertThat(broken).isPositive();
  }
}
