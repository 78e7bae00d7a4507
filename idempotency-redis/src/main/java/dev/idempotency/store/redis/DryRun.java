package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.params.SetParams;

/**
 * Runs every command and script that an execution needs, in one round trip, on a scratch key that
 * expires after {@value #TTL_SECONDS} s. Immutable and thread-safe.
 *
 * @param jedis the client of the store
 * @param records of the application, in whose key space the scratch key is
 * @param replicas whether {@code WAIT} is needed too
 */
record DryRun(UnifiedJedis jedis, RecordCodec records, ReplicaWait replicas) {

  private static final int TTL_SECONDS = 5;
  private static final Duration TTL = Duration.ofSeconds(TTL_SECONDS);
  private static final Duration LEASE = Duration.ofSeconds(2);
  private static final long FENCE = 1;
  private static final Fingerprint FINGERPRINT = Fingerprint.builder("dry-run").build();

  KeySpace keys() {
    return records.keys();
  }

  /** A command that Redis refused, or answered as no supported Redis does. */
  static final class Failed extends RuntimeException {

    private static final long serialVersionUID = 1L;
    private final String command;

    Failed(String command, String message, Throwable cause) {
      super(message, cause);
      this.command = command;
    }

    String command() {
      return command;
    }
  }

  private record Step(String command, Response<?> reply, Object expected) {

    void check() {
      Object found;
      try {
        found = reply.get();
      } catch (JedisDataException e) {
        throw new Failed(command, String.valueOf(e.getMessage()), e);
      }
      if (found instanceof List<?> list && !list.isEmpty()) {
        found = list.get(0);
      }
      if (found instanceof byte[] bytes) {
        found = bytes.length == 1 ? new String(bytes, US_ASCII) : (Object) (long) bytes.length;
      }
      boolean any = expected.equals("");
      if (!any && !Objects.equals(found, expected)) {
        throw new Failed(
            command,
            "answered " + found + " instead of " + expected,
            new IllegalStateException(command));
      }
    }
  }

  /**
   * Claims, contends, renews, abandons, releases, claims again, completes and reads a key.
   *
   * @param scratch a Redis key that nobody else uses
   * @throws Failed if Redis does not do one of them
   */
  void run(byte[] scratch) {
    List<Step> steps = new ArrayList<>();
    try (AbstractPipeline pipeline = Pipelines.open(jedis)) {
      send(pipeline, scratch, steps);
      pipeline.sync();
    }
    steps.forEach(Step::check);
  }

  private void send(AbstractPipeline pipeline, byte[] key, List<Step> steps) {
    byte[] none = new byte[0];
    byte[] ttl = Long.toString(TTL.toMillis()).getBytes(US_ASCII);
    byte[] announcement = new byte[KeySpace.DIGEST_LENGTH];
    Lease lease = lease();
    byte[] token = lease.token().toBytes();
    byte[] claim = records.inFlight(key, lease);
    byte[] rival = records.inFlight(key, lease());
    byte[] released = records.released(key, lease, TTL);
    byte[] seen = Arrays.copyOf(released, RecordHeader.SEALED);
    byte[] yes = {'1'};
    byte[] no = {'0'};
    SetParams ifAbsent = new SetIfAbsent(TTL);
    steps.add(new Step("SET with NX and GET", pipeline.setGet(key, claim, ifAbsent), ""));
    add(steps, pipeline, RedisScript.CONTEND, "F", key, rival, ttl, none, none, yes, yes);
    add(steps, pipeline, RedisScript.TOUCH, 1L, key, token, ttl, none, none);
    steps.add(
        new Step("EVALSHA", RedisScript.TOUCH.send(pipeline, key, token, ttl, none, none), 1L));
    add(steps, pipeline, RedisScript.TOUCH, 1L, key, token, ttl, keys().channel(), announcement);
    add(
        steps,
        pipeline,
        RedisScript.RELEASE,
        1L,
        key,
        released,
        ttl,
        keys().channel(),
        announcement);
    add(steps, pipeline, RedisScript.CONTEND, "A", key, claim, ttl, claim, seen, no, yes);
    byte[] record = records.completed(key, lease, Outcome.of("dry-run", none));
    add(
        steps,
        pipeline,
        RedisScript.COMPLETE,
        1L,
        key,
        record,
        ttl,
        keys().channel(),
        announcement);
    steps.add(new Step("GET", pipeline.get(key), (long) record.length));
    steps.add(
        new Step(
            "GETRANGE",
            pipeline.getrange(key, 0, RecordHeader.LENGTH - 1),
            (long) RecordHeader.LENGTH));
    steps.add(new Step("PTTL", pipeline.pttl(key), ""));
    if (replicas.count() > 0) {
      steps.add(new Step("WAIT", pipeline.waitReplicas(key, 0, 1), ""));
    }
  }

  private static void add(
      List<Step> steps,
      AbstractPipeline pipeline,
      RedisScript script,
      Object expected,
      byte[] key,
      byte[]... arguments) {
    steps.add(new Step("EVAL", script.sendSource(pipeline, key, arguments), expected));
  }

  private static Lease lease() {
    ClaimRequest claim = ClaimRequest.of(IdempotencyKey.of("dry-run"), FINGERPRINT, LEASE, TTL);
    return Lease.granted(claim, FENCE, 1, 0);
  }
}
