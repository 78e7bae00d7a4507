package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.resps.ScanResult;

/**
 * Walks over the keys of a key space with {@code SCAN}, node by node on Cluster. Immutable and
 * thread-safe.
 *
 * @param jedis to scan with
 * @param keys what to look for
 */
record RedisScan(UnifiedJedis jedis, KeySpace keys) {

  /** Keys that one step looks at: a few milliseconds of Redis's only thread. */
  private static final int COUNT = 1_000;

  private static final int MOST_STEPS = 20;

  /**
   * Where a walk is.
   *
   * @param node number of the node, in the order of their names
   * @param cursor of {@code SCAN} on it
   */
  record Position(int node, String cursor) {

    static Position parse(String text) {
      if (text.isEmpty()) {
        return new Position(0, ScanParams.SCAN_POINTER_START);
      }
      if (!text.matches("[0-9]{1,5}-[0-9]{1,20}")) {
        throw new IllegalArgumentException("this is not a cursor of a listing");
      }
      String[] parts = text.split("-", 2);
      return new Position(Integer.parseInt(parts[0]), parts[1]);
    }

    @Override
    public String toString() {
      return node + "-" + cursor;
    }
  }

  /** The keys of some steps, and where to go on. */
  record Batch(List<byte[]> keys, Optional<Position> next) {}

  /** Takes steps until there are about {@code limit} keys, or {@value #MOST_STEPS} are taken. */
  Batch next(Position from, int limit) {
    List<byte[]> found = new ArrayList<>();
    Position at = from;
    ScanParams wanted = new ScanParams().match(keys.pattern()).count(Math.min(COUNT, limit * 10));
    for (int step = 0; step < MOST_STEPS && found.size() < limit; step++) {
      Optional<Position> next = step(at, wanted, found);
      if (next.isEmpty()) {
        return new Batch(found, next);
      }
      at = next.get();
    }
    return new Batch(found, Optional.of(at));
  }

  private Optional<Position> step(Position at, ScanParams wanted, List<byte[]> found) {
    byte[] cursor = at.cursor().getBytes(US_ASCII);
    if (!ClusterNodes.isCluster(jedis)) {
      ScanResult<byte[]> result = jedis.scan(cursor, wanted);
      found.addAll(result.getResult());
      return result.isCompleteIteration()
          ? Optional.empty()
          : Optional.of(new Position(0, result.getCursor()));
    }
    List<ConnectionPool> nodes = primaries();
    if (at.node() >= nodes.size()) {
      return Optional.empty();
    }
    try (Connection connection = nodes.get(at.node()).getResource()) {
      ScanResult<byte[]> result = new Jedis(connection).scan(cursor, wanted);
      found.addAll(result.getResult());
      if (!result.isCompleteIteration()) {
        return Optional.of(new Position(at.node(), result.getCursor()));
      }
    }
    return at.node() + 1 < nodes.size()
        ? Optional.of(new Position(at.node() + 1, ScanParams.SCAN_POINTER_START))
        : Optional.empty();
  }

  /** By name, so that the number of a node means the same in the next step. */
  private List<ConnectionPool> primaries() {
    Map<String, ConnectionPool> sorted = new TreeMap<>(ClusterNodes.primaries(jedis));
    return List.copyOf(sorted.values());
  }
}
