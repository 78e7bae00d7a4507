package dev.idempotency.store.memory;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.Fingerprint;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.OwnerToken;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.TimeSource;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in this process: the reference model of the SPI, and a store for tests, demos and
 * single-process services that may forget everything at a restart.
 *
 * <p>Like Redis with {@code noeviction}, it never drops a live record to make room: when it holds
 * its maximum, claims of new keys fail with {@link StoreException.Reason#REFUSED} while everything
 * else works. Expired records are removed when they are met, and by a pass over all of them at most
 * every {@value #PURGE_EVERY_NANOS} ns.
 *
 * <p>Thread-safe: each verb is one {@link ConcurrentHashMap#compute} of an immutable entry.
 */
public final class InMemoryIdempotencyStore implements IdempotencyStore {

  private static final long PURGE_EVERY_NANOS = 1_000_000_000L;
  private static final int DEFAULT_MAX_RECORDS = 1_000_000;
  private static final Duration RELEASED_TTL = Duration.ofMinutes(1);

  private final ConcurrentHashMap<IdempotencyKey, Entry> entries = new ConcurrentHashMap<>();
  private final CopyOnWriteArrayList<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
  private final TimeSource time;
  private final int maxRecords;
  private final AtomicLong lastPurge;
  private volatile boolean closed;

  private InMemoryIdempotencyStore(TimeSource time, int maxRecords) {
    if (maxRecords < 1) {
      throw new IllegalArgumentException("maxRecords must be at least 1, but is " + maxRecords);
    }
    this.time = time;
    this.maxRecords = maxRecords;
    this.lastPurge = new AtomicLong(time.nanoTime());
  }

  /** A store of at most {@value #DEFAULT_MAX_RECORDS} records on the machine's clocks. */
  public static InMemoryIdempotencyStore create() {
    return new InMemoryIdempotencyStore(TimeSource.system(), DEFAULT_MAX_RECORDS);
  }

  /**
   * A store with its own bound and clock.
   *
   * @param maxRecords at least 1
   */
  public static InMemoryIdempotencyStore create(TimeSource time, int maxRecords) {
    return new InMemoryIdempotencyStore(time, maxRecords);
  }

  private enum State {
    IN_FLIGHT,
    /** Its owner ended the lease itself. */
    ABANDONED,
    COMPLETED,
    RELEASED
  }

  /** One immutable version of a record; nano times are of {@link #time}. */
  private record Entry(
      State state,
      OwnerToken token,
      Fingerprint fingerprint,
      long fence,
      int attempt,
      long leaseEndNanos,
      long expiryNanos,
      boolean awaited,
      @Nullable Outcome outcome,
      Instant settledAt,
      Duration ttl) {

    boolean isExpiredAt(long now) {
      return expiryNanos - now <= 0;
    }

    boolean isOwnedBy(Lease lease) {
      return (state == State.IN_FLIGHT || state == State.ABANDONED) && token.equals(lease.token());
    }

    boolean isRenewableBy(Lease lease) {
      return state == State.IN_FLIGHT && token.equals(lease.token());
    }

    Entry withLeaseEnd(State next, long end, long expiry) {
      return new Entry(
          next, token, fingerprint, fence, attempt, end, expiry, awaited, outcome, settledAt, ttl);
    }

    Entry awaitedNow() {
      return new Entry(
          state,
          token,
          fingerprint,
          fence,
          attempt,
          leaseEndNanos,
          expiryNanos,
          true,
          outcome,
          settledAt,
          ttl);
    }

    /** With another owner, so that a completion of its own comes too late. */
    Entry erased() {
      return new Entry(
          state,
          OwnerToken.random(),
          fingerprint,
          fence,
          attempt,
          leaseEndNanos,
          expiryNanos,
          awaited,
          Outcome.tombstone("erased/1", new byte[0]),
          settledAt,
          ttl);
    }

    StoredRecord view(long now) {
      if (state == State.RELEASED) {
        return new StoredRecord.Released(fence);
      }
      if (outcome != null) {
        return new StoredRecord.Completed(fingerprint, fence, outcome, settledAt, ttl);
      }
      long remaining = leaseEndNanos - now;
      return remaining > 0
          ? new StoredRecord.InFlight(fingerprint, fence, Duration.ofNanos(remaining))
          : new StoredRecord.Abandoned(fingerprint, fence, attempt, Duration.ofNanos(-remaining));
    }
  }

  @Override
  public Claim claim(ClaimRequest request) {
    long now = ready();
    Entry next =
        entries.compute(
            request.key(),
            (key, found) -> {
              Entry current = found == null || found.isExpiredAt(now) ? null : found;
              if (current == null && entries.size() > maxRecords - (found == null ? 1 : 0)) {
                throw new StoreException(
                    StoreException.Reason.REFUSED,
                    "in-memory store holds its maximum of "
                        + maxRecords
                        + " records; raise it or use Redis");
              }
              return claimed(request, current, now);
            });
    if (next.state == State.IN_FLIGHT && next.token.equals(request.token())) {
      return new Claim.Acquired(Lease.granted(request, next.fence, next.attempt, now));
    }
    return (Claim) next.view(now);
  }

  private Entry claimed(ClaimRequest request, @Nullable Entry current, long now) {
    if (current == null || current.state == State.RELEASED) {
      return owned(request, current, now);
    }
    if (current.state == State.COMPLETED) {
      return current;
    }
    if (current.state == State.IN_FLIGHT && current.token.equals(request.token())) {
      // The owner counts its lease from this claim, so the record must too.
      return current.withLeaseEnd(
          State.IN_FLIGHT, now + request.lease().toNanos(), now + request.ttl().toNanos());
    }
    if (current.leaseEndNanos - now > 0) {
      return request.waiting() ? current.awaitedNow() : current;
    }
    boolean mayTakeOver =
        request.takeover().isPresent() && request.takeover().getAsLong() == current.fence;
    return mayTakeOver ? owned(request, current, now) : current;
  }

  private Entry owned(ClaimRequest request, @Nullable Entry previous, long now) {
    Instant wall = time.now();
    long clockFence = wall.getEpochSecond() * 1_000_000 + wall.getNano() / 1_000;
    return new Entry(
        State.IN_FLIGHT,
        request.token(),
        request.fingerprint(),
        previous == null ? clockFence : Math.max(clockFence, previous.fence + 1),
        previous == null ? 1 : previous.attempt + 1,
        now + request.lease().toNanos(),
        now + request.ttl().toNanos(),
        false,
        null,
        wall,
        request.ttl());
  }

  @Override
  public Optional<Lease> renew(Lease lease) {
    long now = ready();
    Entry next =
        entries.computeIfPresent(
            lease.key(),
            (key, current) ->
                current.isRenewableBy(lease) && !current.isExpiredAt(now)
                    ? current.withLeaseEnd(
                        State.IN_FLIGHT,
                        now + lease.duration().toNanos(),
                        now + lease.ttl().toNanos())
                    : current);
    return next != null && next.isRenewableBy(lease) && !next.isExpiredAt(now)
        ? Optional.of(lease.renewed(now))
        : Optional.empty();
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    long now = ready();
    CompleteResult[] result = new CompleteResult[1];
    @Nullable Entry[] replaced = new @Nullable Entry[1];
    entries.compute(
        lease.key(),
        (key, found) -> {
          Entry current = found == null || found.isExpiredAt(now) ? null : found;
          if (current != null && !current.token.equals(lease.token())) {
            result[0] = new CompleteResult.FencedOff(Optional.of(current.view(now)));
            return current;
          }
          if (current != null && current.state == State.COMPLETED) {
            result[0] = new CompleteResult.AlreadyRecorded();
            return current;
          }
          if (current != null && current.state == State.RELEASED) {
            result[0] = new CompleteResult.FencedOff(Optional.of(current.view(now)));
            return current;
          }
          result[0] =
              current == null ? new CompleteResult.Restored() : new CompleteResult.Recorded();
          replaced[0] = current;
          return new Entry(
              State.COMPLETED,
              lease.token(),
              lease.fingerprint(),
              lease.fence(),
              lease.attempt(),
              now,
              now + lease.ttl().toNanos(),
              false,
              outcome,
              time.now(),
              lease.ttl());
        });
    announce(lease.key(), replaced[0]);
    return result[0];
  }

  @Override
  public ReleaseResult release(Lease lease) {
    long now = ready();
    ReleaseResult[] result = {ReleaseResult.ABSENT};
    @Nullable Entry[] replaced = new @Nullable Entry[1];
    entries.computeIfPresent(
        lease.key(),
        (key, current) -> {
          if (current.isExpiredAt(now)) {
            return null;
          }
          boolean mine = current.token.equals(lease.token());
          if (mine && current.state == State.RELEASED) {
            result[0] = ReleaseResult.RELEASED;
            return current;
          }
          if (!current.isOwnedBy(lease)) {
            result[0] = ReleaseResult.NOT_OWNER;
            return current;
          }
          result[0] = ReleaseResult.RELEASED;
          replaced[0] = current;
          return new Entry(
              State.RELEASED,
              current.token,
              current.fingerprint,
              current.fence,
              current.attempt,
              now,
              now + RELEASED_TTL.toNanos(),
              false,
              null,
              time.now(),
              RELEASED_TTL);
        });
    announce(lease.key(), replaced[0]);
    return result[0];
  }

  @Override
  public boolean abandon(Lease lease) {
    long now = ready();
    @Nullable Entry[] replaced = new @Nullable Entry[1];
    entries.computeIfPresent(
        lease.key(),
        (key, current) -> {
          if (!current.isOwnedBy(lease) || current.isExpiredAt(now)) {
            return current;
          }
          replaced[0] = current;
          return current.withLeaseEnd(State.ABANDONED, now, current.expiryNanos);
        });
    announce(lease.key(), replaced[0]);
    return replaced[0] != null;
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    long now = ready();
    List<Optional<StoredRecord>> found = new ArrayList<>(keys.size());
    for (IdempotencyKey key : keys) {
      Entry entry = entries.get(key);
      found.add(
          entry == null || entry.isExpiredAt(now)
              ? Optional.empty()
              : Optional.of(entry.view(now)));
    }
    return found;
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> keys) {
    long now = ready();
    return keys.stream().map(key -> stateOf(entries.get(key), now)).toList();
  }

  private static RecordState stateOf(@Nullable Entry entry, long now) {
    return entry == null || entry.isExpiredAt(now)
        ? RecordState.ABSENT
        : RecordState.of(entry.view(now));
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    long now = ready();
    Entry removed = entries.remove(key);
    announce(key, removed);
    return removed != null && !removed.isExpiredAt(now);
  }

  @Override
  public Optional<RecordDirectory> directory() {
    return Optional.of(new Directory());
  }

  /** Looks at all entries for each part of a listing, and for each digest. */
  private final class Directory implements RecordDirectory {

    @Override
    public RecordPage list(Set<RecordState> states, String cursor, int limit) {
      return list(
          each -> states.contains(stateOf(each.getValue(), time.nanoTime())), cursor, limit);
    }

    @Override
    public RecordPage listOfScope(String scope, String cursor, int limit) {
      return list(each -> each.getKey().scope().equals(scope), cursor, limit);
    }

    @Override
    public boolean erase(String digest) {
      long now = ready();
      boolean[] erased = {false};
      key(digest)
          .ifPresent(
              key ->
                  entries.computeIfPresent(
                      key,
                      (same, entry) -> {
                        erased[0] = entry.state == State.COMPLETED && !entry.isExpiredAt(now);
                        return erased[0] ? entry.erased() : entry;
                      }));
      return erased[0];
    }

    private RecordPage list(
        Predicate<Map.Entry<IdempotencyKey, Entry>> wantedOf, String cursor, int limit) {
      if (limit < 1 || limit > MAX_PAGE) {
        throw new IllegalArgumentException("limit must be 1 to " + MAX_PAGE + ", but is " + limit);
      }
      long now = ready();
      // In the order of digests, which are spread evenly: a cursor is the last digest that was
      // given.
      List<RecordSummary> wanted =
          entries.entrySet().stream()
              .filter(each -> !each.getValue().isExpiredAt(now))
              .filter(wantedOf)
              .map(each -> summary(each.getKey().digestHex(), each.getValue(), now))
              .filter(each -> each.digest().compareTo(cursor) > 0)
              .sorted(Comparator.comparing(RecordSummary::digest))
              .limit(limit + 1L)
              .toList();
      return wanted.size() <= limit
          ? new RecordPage(wanted, Optional.empty())
          : new RecordPage(wanted.subList(0, limit), Optional.of(wanted.get(limit - 1).digest()));
    }

    private RecordSummary summary(String digest, Entry entry, long now) {
      boolean open = entry.state == State.IN_FLIGHT || entry.state == State.ABANDONED;
      return new RecordSummary(
          digest,
          stateOf(entry, now),
          entry.fence,
          entry.attempt,
          Optional.of(entry.settledAt),
          open ? Optional.of(Duration.ofNanos(entry.leaseEndNanos - now)) : Optional.empty(),
          Duration.ofNanos(entry.expiryNanos - now));
    }

    private Optional<IdempotencyKey> key(String digest) {
      return entries.keySet().stream().filter(key -> key.digestHex().equals(digest)).findFirst();
    }

    @Override
    public Optional<RecordSummary> find(String digest) {
      long now = ready();
      return key(digest)
          .flatMap(key -> Optional.ofNullable(entries.get(key)))
          .filter(entry -> !entry.isExpiredAt(now))
          .map(entry -> summary(digest, entry, now));
    }

    @Override
    public boolean resolve(String digest, long fence, Optional<Outcome> outcome) {
      long now = ready();
      Optional<IdempotencyKey> key = key(digest);
      @Nullable Entry entry = key.isEmpty() ? null : entries.get(key.get());
      if (key.isEmpty()
          || entry == null
          || stateOf(entry, now) != RecordState.ABANDONED
          || entry.fence != fence) {
        return false;
      }
      Duration lease = entry.ttl.dividedBy(2);
      ClaimRequest takeover =
          ClaimRequest.of(key.get(), entry.fingerprint, lease, entry.ttl).takingOver(fence);
      if (!(claim(takeover) instanceof Claim.Acquired acquired)) {
        return false;
      }
      if (outcome.isPresent()) {
        complete(acquired.lease(), outcome.get());
      } else {
        release(acquired.lease());
      }
      return true;
    }

    @Override
    public boolean forget(String digest) {
      return key(digest).map(InMemoryIdempotencyStore.this::forget).orElse(false);
    }
  }

  @Override
  public void onSettled(Consumer<String> listener) {
    listeners.add(listener);
  }

  private void announce(IdempotencyKey key, @Nullable Entry ended) {
    if (ended != null && ended.awaited) {
      String digest = key.digestHex();
      listeners.forEach(listener -> listener.accept(digest));
    }
  }

  /** Checks that the store is open, removes what has expired now and then, and reads the clock. */
  private long ready() {
    if (closed) {
      throw new StoreException(StoreException.Reason.REFUSED, "in-memory store is closed");
    }
    long now = time.nanoTime();
    long last = lastPurge.get();
    if (now - last > PURGE_EVERY_NANOS && lastPurge.compareAndSet(last, now)) {
      entries.values().removeIf(entry -> entry.isExpiredAt(now));
    }
    return now;
  }

  @Override
  public void close() {
    closed = true;
    entries.clear();
  }
}
