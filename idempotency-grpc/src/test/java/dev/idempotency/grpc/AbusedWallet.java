package dev.idempotency.grpc;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.MemoryBudget;
import dev.idempotency.grpc.wallet.Payment;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import dev.idempotency.store.redis.RedisIdempotencyStore;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A server with a small heap, in a process of its own, for {@link AbuseTest}: prints its port, and
 * ends when its standard input does. A payment of {@link #HOLD} is held until one of {@link #GO}
 * comes, and one of {@link #HELD} says how many bytes are held.
 */
final class AbusedWallet {

  static final long HOLD = 7;
  static final long GO = 8;
  static final long HELD = 9;

  /** Answered with a megabyte that cannot be compressed. */
  static final long LARGE = 10;

  /** Says how many outcomes wait to be stored. */
  static final long PENDING = 11;

  /** Says how many of {@link #LARGE} have been answered by their handlers. */
  static final long ANSWERED = 12;

  /** In place of Redis: a store that takes no outcome until one of {@link #GO}. */
  static final String STALLED = "stalled";

  private static final CountDownLatch STALL = new CountDownLatch(1);
  private static final AtomicLong LARGE_ANSWERS = new AtomicLong();

  private static final int HANDLERS = 8;
  private static final Context.Key<String> TENANT = Context.key("tenant");

  private AbusedWallet() {}

  /**
   * Takes {@code bounded} or {@code unbounded}, or {@code unprotected} for no interceptor; then the
   * address of Redis or {@link #STALLED}, and the file for the ledger, if there are.
   */
  public static void main(String[] arguments) throws Exception {
    MemoryBudget memory =
        arguments[0].equals("bounded") ? MemoryBudget.ofHeap() : MemoryBudget.of(Long.MAX_VALUE);
    WalletServer server =
        arguments[0].equals("unprotected")
            ? WalletServer.unprotected(WalletServer.Transport.NETTY)
            : new WalletServer(
                WalletServer.Transport.NETTY,
                store(arguments),
                IdempotencyConfig.builder().memory(memory).build(),
                settings -> settings.scopeByMetadata("tenant"),
                List.of(new Tenants()),
                // As many handlers as a server runs at once; what they make does not count here.
                builder -> builder.executor(Executors.newFixedThreadPool(HANDLERS)));
    Optional<Path> ledger = Arrays.stream(arguments).skip(2).findFirst().map(Path::of);
    Queue<StreamObserver<Payment>> held = new ConcurrentLinkedQueue<>();
    server.wallet.answer =
        (effect, amount, observer) -> {
          if (amount == HOLD) {
            // So that it can end as usual after its client has cancelled.
            ((ServerCallStreamObserver<Payment>) observer).setOnCancelHandler(() -> {});
            held.add(observer);
            return;
          }
          if (amount == GO) {
            STALL.countDown();
            for (var each = held.poll(); each != null; each = held.poll()) {
              answer(each, "held", HOLD);
            }
          }
          if (amount == LARGE) {
            answer(observer, incompressible(), amount);
            LARGE_ANSWERS.incrementAndGet();
          } else if (amount == ANSWERED) {
            answer(observer, "", LARGE_ANSWERS.get());
          } else if (amount == HELD) {
            answer(observer, "", memory.held());
          } else if (amount == PENDING) {
            answer(observer, "", server.engine.pendingWrites());
          } else {
            String id = TENANT.get() + " as " + effect;
            ledger.ifPresent(file -> write(file, "paid " + amount + " by " + id));
            answer(observer, id, amount);
          }
        };
    System.out.println("port " + server.port());
    while (System.in.read() >= 0) {}
    Runtime.getRuntime().halt(Status.Code.OK.value());
  }

  private static IdempotencyStore store(String[] arguments) {
    if (arguments.length == 1) {
      return InMemoryIdempotencyStore.create();
    }
    if (!arguments[1].equals(STALLED)) {
      return RedisIdempotencyStore.builder().namespace("wallet").uri(arguments[1]).build();
    }
    FaultyStore store = new FaultyStore(InMemoryIdempotencyStore.create());
    store.beforeComplete =
        () -> {
          try {
            STALL.await();
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        };
    return store;
  }

  private static void answer(StreamObserver<Payment> observer, String id, long amount) {
    try {
      observer.onNext(Payment.newBuilder().setId(id).setAmount(amount).build());
      observer.onCompleted();
    } catch (StatusRuntimeException | IllegalStateException cancelled) {
      // Its client is gone.
      return;
    }
  }

  private static String incompressible() {
    byte[] bytes = new byte[700_000];
    new SplittableRandom().nextBytes(bytes);
    return Base64.getEncoder().encodeToString(bytes);
  }

  private static synchronized void write(Path ledger, String line) {
    try {
      Files.writeString(ledger, line + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Who the caller is, for the handler. */
  private static final class Tenants implements ServerInterceptor {
    @Override
    public <ReqT, RespT> ServerCall.Listener<ReqT> interceptCall(
        ServerCall<ReqT, RespT> call, Metadata headers, ServerCallHandler<ReqT, RespT> next) {
      String tenant = headers.get(WalletServer.ascii("tenant"));
      return Contexts.interceptCall(
          Context.current().withValue(TENANT, tenant == null ? "nobody" : tenant),
          call,
          headers,
          next);
    }
  }
}
