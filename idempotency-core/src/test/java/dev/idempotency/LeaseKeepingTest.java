package dev.idempotency;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.store.StoreException;
import dev.idempotency.store.StoredRecord;
import dev.idempotency.testing.FlakyStore;
import dev.idempotency.testing.LoggedLines;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How leases are renewed, how their loss is told, and who wins after an outage. */
@Timeout(60)
class LeaseKeepingTest extends EngineFixture {

  private static final Duration A_WHILE = LEASE.multipliedBy(2);

  @Test
  void aLeaseThatEndsBecauseRenewalsFailIsReportedOnce() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      threads.advance(LEASE);

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING lease lost:")
                      && line.contains(TRANSFER.key().digestHex())
                      && line.contains(Long.toString(execution.fence())));
    }
    threads.advance(A_WHILE);
    assertThat(execution.isLeaseAlive()).isFalse();
    assertThat(events.count("leaseLost")).isEqualTo(1);
  }

  @Test
  void aLeaseThatIsNeverAskedForIsToldByTheClock() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    threads.refuse(EngineThreads.Work.RENEWALS);

    threads.advance(LEASE);

    assertThat(events.count("leaseLost")).isEqualTo(1);
    assertThat(execution.isLeaseAlive()).isFalse();
    threads.restore(EngineThreads.Work.RENEWALS);
    threads.advance(Duration.ofSeconds(1));
    assertThat(execution.isLeaseAlive()).isTrue();
  }

  @Test
  void aLeaseThatWasRenewedOftenIsStillWatchedByTheClock() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    threads.advance(LEASE.multipliedBy(5));
    threads.refuse(EngineThreads.Work.RENEWALS);

    threads.advance(LEASE.plusSeconds(1));

    assertThat(events.count("leaseLost")).isEqualTo(1);
    assertThat(execution.isLeaseAlive()).isFalse();
  }

  @Test
  void aLeaseThatComesBackIsLogged() {
    IdempotencyEngine engine = engine(config());
    proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(LEASE);
    store.fault = FlakyStore.Fault.NONE;

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      threads.advance(Duration.ofSeconds(1));
      threads.advance(LEASE);

      assertThat(log.lines())
          .filteredOn(line -> line.startsWith("INFO lease regained: key"))
          .hasSize(1);
    }
  }

  @Test
  void aFailedRenewalDoesNotEndRenewing() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(LEASE.dividedBy(2));

    store.fault = FlakyStore.Fault.NONE;
    threads.advance(LEASE.multipliedBy(5));

    assertThat(execution.isLeaseAlive()).isTrue();
    assertThat(record()).get().isInstanceOf(StoredRecord.InFlight.class);
    assertThat(events.names).doesNotContain("leaseLost");
  }

  @Test
  void whatARenewalThrowsDoesNotEndRenewing() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    for (RuntimeException thrown :
        List.of(
            new IllegalStateException("made up"), storeException(StoreException.Reason.REFUSED))) {
      store.before =
          (verb, key) -> {
            throw thrown;
          };
      threads.advance(LEASE.dividedBy(2));
      store.before = (verb, key) -> {};
      threads.advance(LEASE);
    }
    store.before =
        (verb, key) -> {
          throw new OutOfMemoryError("made up");
        };
    threads.advance(LEASE.dividedBy(2));
    store.before = (verb, key) -> {};

    threads.advance(LEASE.multipliedBy(5));

    assertThat(execution.isLeaseAlive()).isTrue();
    assertThat(events.names).doesNotContain("leaseLost");
  }

  @Test
  void anOwnerThatIsTakenOverIsToldAndStopsBelieving() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    clock.advance(LEASE);
    takeOver(execution.fence());

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      threads.advance(Duration.ofSeconds(1));

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING lease lost:")
                      && line.contains(TRANSFER.key().digestHex()));
    }
    assertThat(execution.isLeaseAlive()).isFalse();
    assertThat(events.count("leaseLost")).isEqualTo(1);
  }

  @Test
  void anOwnerThatIsTakenOverWithinItsLeaseStopsBelievingAtTheNextRenewal() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    assertThat(engine.admin().forget(TRANSFER.key())).isTrue();

    threads.advance(LEASE.dividedBy(3));

    assertThat(execution.isLeaseAlive()).isFalse();
    assertThat(events.count("leaseLost")).isEqualTo(1);
  }

  @Test
  void nothingIsRenewedAfterItsEnd() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      running.add(proceed(engine.begin(numbered(i))));
    }
    running.get(0).complete(OUTCOME);
    running.get(1).release();
    running.get(2).inDoubt();
    engine.admin().forget(numbered(3).key());
    running.get(3).complete(OUTCOME);
    long before = store.calls("renewAll");

    threads.advance(LEASE.multipliedBy(3));

    assertThat(store.calls("renewAll")).isEqualTo(before);
    assertThat(events.names).doesNotContain("leaseLost");
  }

  @Test
  void aClaimThatTookLongerThanItsLeaseDoesNotRun() {
    IdempotencyEngine engine = engine(config());
    store.after = (verb, key) -> clock.advance(verb.equals("claim") ? LEASE : Duration.ZERO);

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.StoreUnavailable.class);

    store.after = (verb, key) -> {};
    assertThat(record()).get().isInstanceOf(StoredRecord.Released.class);
    threads.advance(A_WHILE);
    assertThat(events.names).doesNotContain("leaseLost");
  }

  @Test
  void anEndInDoubtWhoseHoldCannotBeStoredIsReported() {
    IdempotencyEngine engine = engine(config());
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;

    try (LoggedLines log = new LoggedLines(IdempotencyEngine.class.getName())) {
      assertThat(execution.inDoubt().status()).isEqualTo(Completion.Status.HELD);

      assertThat(log.lines())
          .anyMatch(
              line ->
                  line.startsWith("WARNING hold not stored:")
                      && line.contains(TRANSFER.key().digestHex()));
    }
    assertThat(events.count("leaseLost")).isEqualTo(1);
    store.fault = FlakyStore.Fault.NONE;
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(LEASE);
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anOwnerThatComesBackAfterAnOutageIsNotOvertakenInItsOwnProcess() {
    IdempotencyEngine engine = engine(config().abandoned(AbandonedPolicy.REEXECUTE));
    OwnedExecution execution = proceed(engine.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(A_WHILE);

    store.fault = FlakyStore.Fault.NONE;

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(Duration.ZERO);
    assertThat(execution.isLeaseAlive()).isTrue();
    assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
    assertReplays(engine.begin(TRANSFER), OUTCOME);
  }

  @Test
  void anOwnerThatComesBackAfterAnOutageIsNotOvertakenByAnotherProcess() {
    IdempotencyEngine here = engine(config());
    IdempotencyEngine holding = engine(config());
    IdempotencyEngine reexecuting = engine(config().abandoned(AbandonedPolicy.REEXECUTE));
    OwnedExecution execution = proceed(here.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    threads.advance(LEASE.dividedBy(2));
    holding.begin(TRANSFER);
    reexecuting.begin(TRANSFER);
    threads.advance(A_WHILE);

    store.fault = FlakyStore.Fault.NONE;

    assertThat(holding.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    assertThat(reexecuting.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(Duration.ofSeconds(2));
    assertThat(execution.isLeaseAlive()).isTrue();
    assertThat(reexecuting.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    assertThat(execution.complete(OUTCOME).status()).isEqualTo(Completion.Status.RECORDED);
  }

  @Test
  void anOutcomeThatWaitsDuringAnOutageIsStoredBeforeARetryIsToldThatItIsUnknown() {
    IdempotencyEngine here = engine(config());
    IdempotencyEngine there = engine(config());
    OwnedExecution execution = proceed(here.begin(TRANSFER));
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    execution.complete(OUTCOME);
    there.begin(TRANSFER);
    threads.advance(A_WHILE);

    store.fault = FlakyStore.Fault.NONE;

    assertThat(there.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(Duration.ofSeconds(6));
    assertReplays(there.begin(TRANSFER), OUTCOME);
  }

  @Test
  void anOwnerThatDiedInAnOutageIsAbandonedOnceTheLivingOnesAreBack() {
    IdempotencyEngine engine = engine(config());
    claimElsewhere();
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    engine.begin(TRANSFER);
    threads.advance(A_WHILE);
    store.fault = FlakyStore.Fault.NONE;

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.InFlight.class);
    threads.advance(LEASE.dividedBy(3));
    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void anAbandonmentOutsideOfAnyOutageIsToldAtOnce() {
    IdempotencyEngine engine = engine(config());
    store.fault = FlakyStore.Fault.REQUEST_LOST;
    engine.begin(numbered(1));
    store.fault = FlakyStore.Fault.NONE;
    engine.begin(numbered(2));
    vanishedOwner();

    assertThat(engine.begin(TRANSFER)).isInstanceOf(Decision.Abandoned.class);
  }

  @Test
  void manyLeasesAreRenewedInFewCalls() {
    IdempotencyEngine engine = engine(config());
    List<OwnedExecution> running = new ArrayList<>();
    for (int i = 0; i < 1_000; i++) {
      running.add(proceed(engine.begin(numbered(i))));
    }

    threads.advance(LEASE);

    assertThat(running).allMatch(OwnedExecution::isLeaseAlive);
    assertThat(store.calls("renewAll")).isLessThanOrEqualTo(60);
    assertThat(store.calls("renew")).isZero();
  }
}
