package dev.idempotency.testing;

import dev.idempotency.store.RecordDirectory;
import dev.idempotency.store.RecordPage;
import dev.idempotency.store.RecordState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;

/**
 * Callers that pay while somebody else abuses the server, and check every answer: each payment runs
 * once, a retry gets the first answer, an answer belongs to its caller and its request, and the
 * server's ledger agrees. All callers use the same keys, each for payments of its own. Thread-safe.
 */
public final class PayingCallers implements AutoCloseable {

  public static final String NOT_SERVED = "payments that were not served within a minute";
  public static final String WRONG = "wrong answers";
  public static final String DOUBLES = "payments that ran twice";
  public static final String LOST = "acknowledged payments that the ledger does not have";
  public static final String PAID = "payments";
  public static final String REPLAYED = "replays of earlier payments";

  private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(1);
  private static final int ASKED_AGAIN = 2_000;

  /** How one request was answered. */
  public enum Kind {
    /** By its own execution. */
    PAID,
    /** By the result of an earlier one. */
    REPLAYED,
    /** The key was used for another request. */
    MISMATCH,
    /** Not now; a retry may help. */
    REFUSED,
    /** The connection or its time ended. */
    NO_ANSWER,
    /** Anything else. */
    UNEXPECTED
  }

  /**
   * An answer.
   *
   * @param text of a result: {@code paid <reference> by <caller> as <id>}, as in the ledger
   */
  public record Answer(Kind kind, String text) {}

  /** The server that is abused, as its other callers see it. */
  @FunctionalInterface
  public interface Service {
    /** Sends one request, and waits for its answer. Called by several threads. */
    Answer pay(String caller, String key, long reference);
  }

  private record Paid(long reference, String text) {}

  private final Service service;
  private final List<String> callers;
  private final List<Thread> threads = new ArrayList<>();
  private final CountDownLatch over = new CountDownLatch(1);
  private final AtomicLong references = new AtomicLong(1_000);
  private final ConcurrentMap<String, Paid> acknowledged = new ConcurrentHashMap<>();
  private final Map<Kind, LongAdder> answers = new EnumMap<>(Kind.class);
  private final LongAdder notServed = new LongAdder();
  private final LongAdder wrong = new LongAdder();
  private final AtomicLong served = new AtomicLong();
  private final AtomicLong slowest = new AtomicLong();

  /** They start at once. */
  public PayingCallers(Service service, String... callers) {
    this.service = service;
    this.callers = List.of(callers);
    for (Kind kind : Kind.values()) {
      answers.put(kind, new LongAdder());
    }
    for (String caller : callers) {
      Thread thread = new Thread(() -> run(caller), "paying-" + caller);
      thread.setDaemon(true);
      threads.add(thread);
      thread.start();
    }
  }

  /** How many payments have been served. */
  public long served() {
    return served.get();
  }

  /** Waits until another payment was served, as long as the server lives. */
  public void awaitPayment(String when, BooleanSupplier alive) {
    long before = served.get();
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (served.get() == before) {
      if (!alive.getAsBoolean()) {
        throw new AssertionError("the server has ended " + when);
      }
      if (System.nanoTime() > deadline) {
        throw new AssertionError("no payment was served for a minute " + when);
      }
      pause(5);
    }
  }

  private void run(String caller) {
    Random random = new Random(caller.hashCode());
    for (int number = 1; !pause(10); number++) {
      String key = "order-" + number;
      long reference = references.incrementAndGet();
      if (number % 4 == 0) {
        CompletableFuture<Void> duplicate = inBackground(() -> pay(caller, key, reference));
        pay(caller, key, reference);
        duplicate.join();
      } else {
        pay(caller, key, reference);
      }
      if (number % 3 == 0) {
        askAgain(caller, "order-" + (1 + random.nextInt(number)));
      }
      if (number % 7 == 0) {
        askForOther(caller, "order-" + (1 + random.nextInt(number)));
      }
    }
  }

  private static CompletableFuture<Void> inBackground(Runnable task) {
    return CompletableFuture.runAsync(
        task,
        each -> {
          Thread thread = new Thread(each, "paying-twice");
          thread.setDaemon(true);
          thread.start();
        });
  }

  private boolean pause(long millis) {
    try {
      return over.await(millis, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  /** Retries until the payment is made, or a minute has passed. */
  private void pay(String caller, String key, long reference) {
    long start = System.nanoTime();
    Answer answer = untilFinal(caller, key, reference);
    slowest.accumulateAndGet(System.nanoTime() - start, Math::max);
    if (answer.kind() != Kind.PAID && answer.kind() != Kind.REPLAYED) {
      fails(caller, key, answer, "a payment");
      return;
    }
    served.incrementAndGet();
    Paid paid = new Paid(reference, answer.text());
    Paid first = acknowledged.putIfAbsent(caller + " " + key, paid);
    if (!answer.text().startsWith("paid " + reference + " by " + caller + " as ")
        || first != null && !first.equals(paid)) {
      isWrong("payment " + reference + " of " + caller + " with " + key, answer);
    }
  }

  private Answer untilFinal(String caller, String key, long reference) {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    while (true) {
      Answer answer = service.pay(caller, key, reference);
      count(answer);
      boolean again = answer.kind() == Kind.REFUSED || answer.kind() == Kind.NO_ANSWER;
      if (!again || System.nanoTime() > deadline) {
        return answer;
      }
      boolean unused = pause(100);
    }
  }

  private void count(Answer answer) {
    LongAdder counter = answers.get(answer.kind());
    if (counter != null) {
      counter.increment();
    }
  }

  private void fails(String caller, String key, Answer answer, String what) {
    if (answer.kind() == Kind.REFUSED || answer.kind() == Kind.NO_ANSWER) {
      notServed.increment();
      System.err.println(what + " of " + caller + " is not served: " + key + ": " + answer);
    } else {
      isWrong(what + " of " + caller + " with " + key, answer);
    }
  }

  private void isWrong(String what, Answer answer) {
    wrong.increment();
    if (wrong.sum() < 10) {
      System.err.println("wrong answer to " + what + ": " + answer);
    }
  }

  private void askAgain(String caller, String key) {
    Paid first = acknowledged.get(caller + " " + key);
    if (first == null) {
      return;
    }
    Answer answer = untilFinal(caller, key, first.reference());
    if (answer.kind() != Kind.REPLAYED || !answer.text().equals(first.text())) {
      fails(caller, key, answer, "a retry");
    }
  }

  private void askForOther(String caller, String key) {
    if (!acknowledged.containsKey(caller + " " + key)) {
      return;
    }
    Answer answer = untilFinal(caller, key, references.incrementAndGet());
    if (answer.kind() != Kind.MISMATCH) {
      fails(caller, key, answer, "another payment");
    }
  }

  /** They stop. */
  @Override
  public void close() {
    over.countDown();
    for (Thread thread : threads) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * What they have seen, after they were closed and some keys were asked for once more.
   *
   * @param ledger the text of each payment that the server made, a line each
   */
  public Map<String, Long> count(Path ledger) {
    List<Map.Entry<String, Paid>> some =
        acknowledged.entrySet().stream().limit(ASKED_AGAIN).toList();
    for (Map.Entry<String, Paid> each : some) {
      String[] name = each.getKey().split(" ", 2);
      askAgain(name[0], name[1]);
    }
    List<String> lines = ofThese(ledger);
    Set<String> known = new HashSet<>(lines);
    Set<String> payments = new HashSet<>();
    lines.forEach(line -> payments.add(line.substring(0, line.indexOf(" as "))));
    Map<String, Long> table = new LinkedHashMap<>();
    table.put(PAID, (long) acknowledged.size());
    table.put(REPLAYED, sum(Kind.REPLAYED));
    table.put("other payments with a used key, refused", sum(Kind.MISMATCH));
    table.put("refused for the moment, and retried", sum(Kind.REFUSED));
    table.put("without an answer, and retried", sum(Kind.NO_ANSWER));
    table.put("slowest payment with its retries, ms", TimeUnit.NANOSECONDS.toMillis(slowest.get()));
    table.put(NOT_SERVED, notServed.sum());
    table.put(WRONG, wrong.sum());
    table.put(DOUBLES, (long) lines.size() - payments.size());
    table.put(LOST, acknowledged.values().stream().filter(p -> !known.contains(p.text())).count());
    return table;
  }

  private List<String> ofThese(Path ledger) {
    try {
      return Files.readAllLines(ledger).stream()
          .filter(line -> callers.stream().anyMatch(c -> line.contains(" by " + c + " as ")))
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private long sum(Kind kind) {
    LongAdder counter = answers.get(kind);
    return counter == null ? 0 : counter.sum();
  }

  /** How many records have no outcome: in flight or abandoned. */
  public static long open(RecordDirectory directory) {
    EnumSet<RecordState> states = EnumSet.of(RecordState.IN_FLIGHT, RecordState.ABANDONED);
    RecordPage page = directory.list(states, RecordDirectory.START, RecordDirectory.MAX_PAGE);
    long found = page.records().size();
    while (page.next().isPresent()) {
      page = directory.list(states, page.next().get(), RecordDirectory.MAX_PAGE);
      found += page.records().size();
    }
    return found;
  }
}
