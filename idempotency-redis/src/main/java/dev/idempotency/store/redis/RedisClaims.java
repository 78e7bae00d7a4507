package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Lease;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.params.SetParams;

/**
 * Claims keys. A key has one place in Redis, or, while a secret is being turned on or replaced, one
 * under each of its digests: a home, where new records are written, and others, where one that is
 * not released is the record of the key. A script looks at all of them in one step. On Cluster they
 * are in different slots, so the others are read first: sound only as long as no process has one of
 * them for its home. Immutable and thread-safe.
 */
final class RedisClaims {

  private static final int MAX_ROUNDS = 32;
  private static final long NO_TAKEOVER = -1;
  private static final byte[] NOTHING = new byte[0];

  private final UnifiedJedis jedis;
  private final boolean cluster;
  private final RecordReader reader;
  private final ReplicaWait replicas;

  RedisClaims(UnifiedJedis jedis, RecordReader reader, ReplicaWait replicas) {
    this.jedis = jedis;
    this.cluster = ClusterNodes.isCluster(jedis);
    this.reader = reader;
    this.replicas = replicas;
  }

  /**
   * A claim at one of the places of its key.
   *
   * @param proposed what is owned if there is no record
   * @param places Redis keys, this place first
   * @param isHome whether a record may begin here
   */
  private record Place(ClaimRequest request, Lease proposed, List<byte[]> places, boolean isHome) {

    byte[] redisKey() {
      return places.get(0);
    }

    /** The same claim at another place of the key. */
    Place at(int index) {
      IdempotencyKey key = request.key().under(index);
      ClaimRequest moved =
          new ClaimRequest(
              key,
              request.fingerprint().under(index),
              request.token(),
              request.lease(),
              request.ttl(),
              request.takeover(),
              request.waiting());
      Lease lease =
          new Lease(
              key,
              proposed.token(),
              proposed.fence(),
              proposed.attempt(),
              moved.fingerprint(),
              proposed.duration(),
              proposed.ttl(),
              proposed.deadlineNanos());
      return new Place(moved, lease, List.of(places.get(index)), false);
    }
  }

  Claim claim(ClaimRequest request, Lease proposed) {
    Place home = new Place(request, proposed, reader.keys().redisKeys(request.key()), true);
    if (home.places().size() == 1) {
      return claimAlone(home);
    }
    return cluster ? claimAfterALook(home, 1) : contend(home, home, null, 1);
  }

  /** One native command where there is no record, or an outcome. */
  private Claim claimAlone(Place place) {
    byte[] key = place.redisKey();
    byte[] record = reader.records().inFlight(key, place.proposed());
    SetParams ifAbsent = new SetIfAbsent(place.request().ttl());
    ReplicaWait.Written<byte @Nullable []> written = replicas.setGet(jedis, key, record, ifAbsent);
    byte[] standing = written.reply();
    if (standing == null) {
      replicas.enough("claim", written);
      return new Claim.Acquired(place.proposed());
    }
    RecordHeader header = reader.read(key, standing);
    return header.state() == RecordHeader.State.COMPLETED
        ? reader.completed(key, header, standing)
        : contend(place, place, header, 1);
  }

  private Claim claimAfterALook(Place home, int round) {
    for (int i = 1; i < home.places().size(); i++) {
      byte[] value = jedis.get(home.places().get(i));
      if (value != null) {
        Optional<Claim> claim = elsewhere(home, i, value, round);
        if (claim.isPresent()) {
          return claim.get();
        }
      }
    }
    return claimAlone(
        new Place(home.request(), home.proposed(), home.places().subList(0, 1), true));
  }

  /** What a record at another place means; empty if it is released. */
  private Optional<Claim> elsewhere(Place home, int index, byte[] value, int round) {
    byte[] key = home.places().get(index);
    RecordHeader header = reader.read(key, value);
    return switch (header.state()) {
      case RELEASED -> Optional.empty();
      case COMPLETED -> Optional.of(reader.completed(key, header, value));
      case IN_FLIGHT -> Optional.of(contend(home, home.at(index), header, round + 1));
    };
  }

  /**
   * Claims where a record stands, or may stand.
   *
   * @param seen the record at this place, as far as it was read
   */
  private Claim contend(Place home, Place place, @Nullable RecordHeader seen, int round) {
    if (round > MAX_ROUNDS) {
      throw new StoreException(
          StoreException.Reason.REFUSED,
          "the key was released and claimed by others "
              + MAX_ROUNDS
              + " times during one claim; try again");
    }
    byte[] key = place.redisKey();
    ClaimRequest request = place.request();
    Lease proposed = place.proposed();
    boolean succeeds = seen != null && mayFollow(request, seen);
    ReplicaWait.Written<Object> written =
        replicas.run(
            jedis,
            RedisScript.CONTEND,
            place.places(),
            reader.records().inFlight(key, proposed),
            ascii(request.ttl().toMillis()),
            succeeds && seen != null
                ? reader.records().inFlight(key, seen.next(proposed))
                : NOTHING,
            succeeds && seen != null ? seen.sealed() : NOTHING,
            ascii(request.waiting() ? 1 : 0),
            ascii(place.isHome() ? 1 : 0));
    List<?> reply = (List<?>) written.reply();
    byte code = ((byte[]) reply.get(0))[0];
    byte[] value = (byte[]) reply.get(1);
    if (code == 'O') {
      int index = ((Long) reply.get(2)).intValue();
      return elsewhere(home, index, value, round)
          .orElseThrow(() -> RecordHeader.corrupt("the record cannot be contended"));
    }
    if (code == 'G') {
      return cluster ? claimAfterALook(home, round + 1) : contend(home, home, null, round + 1);
    }
    RecordHeader header = reader.read(key, value);
    Duration span = Duration.ofMillis((Long) reply.get(2));
    return switch (code) {
      case 'A' -> {
        replicas.enough("claim", written);
        yield new Claim.Acquired(proposed.withFence(header.fence(), header.attempt()));
      }
      case 'C' -> reader.completed(key, header, value);
      case 'F' -> new StoredRecord.InFlight(header.fingerprint(), header.fence(), span);
      case 'X' ->
          seen == null && mayFollow(request, header)
              ? contend(home, place, header, round + 1)
              : new StoredRecord.Abandoned(
                  header.fingerprint(), header.fence(), header.attempt(), span);
      case 'R' -> contend(home, place, header, round + 1);
      case 'T' -> throw RecordCodec.ttlLost();
      default -> throw RecordHeader.corrupt("the record cannot be contended");
    };
  }

  private static boolean mayFollow(ClaimRequest request, RecordHeader seen) {
    return seen.state() == RecordHeader.State.RELEASED
        || request.takeover().orElse(NO_TAKEOVER) == seen.fence();
  }

  /** The outcome of a key, if one is stored. Writes nothing. */
  Optional<Claim> completed(IdempotencyKey key) {
    for (byte[] place : reader.keys().redisKeys(key)) {
      byte[] value = jedis.get(place);
      if (value != null) {
        RecordHeader header = reader.read(place, value);
        if (header.state() == RecordHeader.State.COMPLETED) {
          return Optional.of(reader.completed(place, header, value));
        }
      }
    }
    return Optional.empty();
  }

  /** The record of a key, of what stands at all its places. */
  static Optional<StoredRecord> standing(List<Optional<StoredRecord>> places) {
    return places.stream()
        .flatMap(Optional::stream)
        .filter(record -> !(record instanceof StoredRecord.Released))
        .findFirst()
        .or(() -> places.stream().flatMap(Optional::stream).findFirst());
  }

  /** As {@link #standing}, of states. */
  static RecordState state(List<RecordState> places) {
    return places.stream()
        .filter(state -> state != RecordState.ABSENT && state != RecordState.RELEASED)
        .findFirst()
        .orElse(places.contains(RecordState.RELEASED) ? RecordState.RELEASED : RecordState.ABSENT);
  }

  private static byte[] ascii(long number) {
    return Long.toString(number).getBytes(US_ASCII);
  }
}
