package dev.idempotency.store.memory;

import dev.idempotency.store.Claim;
import dev.idempotency.store.ClaimRequest;
import dev.idempotency.store.CompleteResult;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import dev.idempotency.store.RecordSummary;
import dev.idempotency.store.ReleaseResult;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.store.TimeSource;
import dev.idempotency.store.memory.Entry.State;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Keeps records in this process: the reference model of the SPI, and a store for tests, demos and
 * single-process services that may forget everything at a restart.
 *
 * <p>Like Redis with {@code noeviction}, it never drops a live record to make room: when it holds
 * its maximum, in number or in bytes, claims of new keys fail with {@link
 * StoreException.Reason#REFUSED} while everything else works. So outcomes of executions that were
 * in flight then may pass the bound in bytes. Each call removes a few expired records, the oldest
 * first; none looks at all of them but those of the {@link #directory()}.
 *
 * <p>Thread-safe: each verb replaces one immutable entry in one step.
 */
public final class InMemoryIdempotencyStore implements IdempotencyStore {

  private static final int DEFAULT_MAX_RECORDS = 1_000_000;
  private static final Duration RELEASED_TTL = Duration.ofMinutes(1);

  private final CopyOnWriteArrayList<Consumer<String>> listeners = new CopyOnWriteArrayList<>();
  private final RecordTable records;
  private final TimeSource time;
  private volatile boolean closed;

  private InMemoryIdempotencyStore(TimeSource time, int maxRecords, long maxBytes) {
    if (maxRecords < 1) {
      throw new IllegalArgumentException("maxRecords must be at least 1, but is " + maxRecords);
    }
    if (maxBytes < 1) {
      throw new IllegalArgumentException("maxBytes must be at least 1, but is " + maxBytes);
    }
    this.time = time;
    this.records = new RecordTable(maxRecords, maxBytes);
  }

  /**
   * A store of at most {@value #DEFAULT_MAX_RECORDS} records, in a quarter of the heap's maximum,
   * on the machine's clocks.
   */
  public static InMemoryIdempotencyStore create() {
    return create(TimeSource.system(), DEFAULT_MAX_RECORDS);
  }

  /**
   * A store with its own clock and bound in number, in a quarter of the heap's maximum.
   *
   * @param maxRecords at least 1
   */
  public static InMemoryIdempotencyStore create(TimeSource time, int maxRecords) {
    return create(time, maxRecords, Runtime.getRuntime().maxMemory() / 4);
  }

  /**
   * A store with its own clock and bounds.
   *
   * @param maxRecords at least 1
   * @param maxBytes what keys, outcomes and records may take together, at least 1: {@value
   *     RecordTable#RECORD_BYTES} for each record, two for each character of its key, and the bytes
   *     of its outcome
   */
  public static InMemoryIdempotencyStore create(TimeSource time, int maxRecords, long maxBytes) {
    return new InMemoryIdempotencyStore(time, maxRecords, maxBytes);
  }

  /** Looked at by tests. */
  RecordTable records() {
    return records;
  }

  @Override
  public Claim claim(ClaimRequest request) {
    long now = ready();
    Entry next =
        Objects.requireNonNull(
            records.compute(
                request.key(),
                now,
                current -> {
                  if (current == null) {
                    records.requireRoom();
                  }
                  return claimed(request, current, now);
                }));
    if (next.state() == State.IN_FLIGHT && next.token().equals(request.token())) {
      return new Claim.Acquired(Lease.granted(request, next.fence(), next.attempt(), now));
    }
    return (Claim) next.view(now);
  }

  private Entry claimed(ClaimRequest request, @Nullable Entry current, long now) {
    if (current == null || current.state() == State.RELEASED) {
      return owned(request, current, now);
    }
    if (current.state() == State.COMPLETED) {
      return current;
    }
    if (current.state() == State.IN_FLIGHT && current.token().equals(request.token())) {
      // The owner counts its lease from this claim, so the record must too.
      return current.withLeaseEnd(
          State.IN_FLIGHT, now + request.lease().toNanos(), now + request.ttl().toNanos());
    }
    if (current.leaseEndNanos() - now > 0) {
      return request.waiting() ? current.awaitedNow() : current;
    }
    boolean mayTakeOver =
        request.takeover().isPresent() && request.takeover().getAsLong() == current.fence();
    return mayTakeOver ? owned(request, current, now) : current;
  }

  private Entry owned(ClaimRequest request, @Nullable Entry previous, long now) {
    Instant wall = time.now();
    long clockFence = wall.getEpochSecond() * 1_000_000 + wall.getNano() / 1_000;
    return new Entry(
        State.IN_FLIGHT,
        request.token(),
        request.fingerprint(),
        previous == null ? clockFence : Math.max(clockFence, previous.fence() + 1),
        previous == null ? 1 : previous.attempt() + 1,
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
        records.compute(
            lease.key(),
            now,
            current ->
                current != null && current.isRenewableBy(lease)
                    ? current.withLeaseEnd(
                        State.IN_FLIGHT,
                        now + lease.duration().toNanos(),
                        now + lease.ttl().toNanos())
                    : current);
    return next != null && next.isRenewableBy(lease)
        ? Optional.of(lease.renewed(now))
        : Optional.empty();
  }

  @Override
  public CompleteResult complete(Lease lease, Outcome outcome) {
    long now = ready();
    CompleteResult[] result = new CompleteResult[1];
    @Nullable Entry[] replaced = new @Nullable Entry[1];
    records.compute(
        lease.key(),
        now,
        current -> {
          if (current != null && !current.token().equals(lease.token())) {
            result[0] = new CompleteResult.FencedOff(Optional.of(current.view(now)));
            return current;
          }
          if (current != null && current.state() == State.COMPLETED) {
            result[0] = new CompleteResult.AlreadyRecorded();
            return current;
          }
          if (current != null && current.state() == State.RELEASED) {
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
    records.compute(
        lease.key(),
        now,
        current -> {
          if (current == null) {
            return null;
          }
          boolean mine = current.token().equals(lease.token());
          if (mine && current.state() == State.RELEASED) {
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
              current.token(),
              current.fingerprint(),
              current.fence(),
              current.attempt(),
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
    records.compute(
        lease.key(),
        now,
        current -> {
          if (current == null || !current.isOwnedBy(lease)) {
            return current;
          }
          replaced[0] = current;
          return current.withLeaseEnd(State.ABANDONED, now, current.expiryNanos());
        });
    announce(lease.key(), replaced[0]);
    return replaced[0] != null;
  }

  @Override
  public List<Optional<StoredRecord>> find(List<IdempotencyKey> keys) {
    long now = ready();
    List<Optional<StoredRecord>> found = new ArrayList<>(keys.size());
    for (IdempotencyKey key : keys) {
      Entry entry = records.get(key, now);
      found.add(entry == null ? Optional.empty() : Optional.of(entry.view(now)));
    }
    return found;
  }

  @Override
  public List<RecordState> states(List<IdempotencyKey> keys) {
    long now = ready();
    return keys.stream().map(key -> stateOf(records.get(key, now), now)).toList();
  }

  private static RecordState stateOf(@Nullable Entry entry, long now) {
    return entry == null || entry.isExpiredAt(now)
        ? RecordState.ABSENT
        : RecordState.of(entry.view(now));
  }

  @Override
  public boolean forget(IdempotencyKey key) {
    long now = ready();
    @Nullable Entry[] removed = new @Nullable Entry[1];
    records.compute(
        key,
        now,
        current -> {
          removed[0] = current;
          return null;
        });
    announce(key, removed[0]);
    return removed[0] != null;
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
                  records.compute(
                      key,
                      now,
                      entry -> {
                        if (entry == null || entry.state() != State.COMPLETED) {
                          return entry;
                        }
                        erased[0] = true;
                        return entry.erased();
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
          records.all().stream()
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
      boolean open = entry.state() == State.IN_FLIGHT || entry.state() == State.ABANDONED;
      return new RecordSummary(
          digest,
          stateOf(entry, now),
          entry.fence(),
          entry.attempt(),
          Optional.of(entry.settledAt()),
          open ? Optional.of(Duration.ofNanos(entry.leaseEndNanos() - now)) : Optional.empty(),
          Duration.ofNanos(entry.expiryNanos() - now));
    }

    private Optional<IdempotencyKey> key(String digest) {
      return records.all().stream()
          .map(Map.Entry::getKey)
          .filter(key -> key.digestHex().equals(digest))
          .findFirst();
    }

    @Override
    public Optional<RecordSummary> find(String digest) {
      long now = ready();
      return key(digest)
          .flatMap(key -> Optional.ofNullable(records.get(key, now)))
          .map(entry -> summary(digest, entry, now));
    }

    @Override
    public boolean resolve(String digest, long fence, Optional<Outcome> outcome) {
      long now = ready();
      Optional<IdempotencyKey> key = key(digest);
      @Nullable Entry entry = key.isEmpty() ? null : records.get(key.get(), now);
      if (key.isEmpty()
          || entry == null
          || stateOf(entry, now) != RecordState.ABANDONED
          || entry.fence() != fence) {
        return false;
      }
      Duration lease = entry.ttl().dividedBy(2);
      ClaimRequest takeover =
          ClaimRequest.of(key.get(), entry.fingerprint(), lease, entry.ttl()).takingOver(fence);
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
    if (ended != null && ended.awaited()) {
      String digest = key.digestHex();
      listeners.forEach(listener -> listener.accept(digest));
    }
  }

  /** Checks that the store is open, removes a little of what has expired, and reads the clock. */
  private long ready() {
    if (closed) {
      throw new StoreException(StoreException.Reason.REFUSED, "in-memory store is closed");
    }
    long now = time.nanoTime();
    records.purge(now);
    return now;
  }

  @Override
  public void close() {
    closed = true;
    records.clear();
  }
}
