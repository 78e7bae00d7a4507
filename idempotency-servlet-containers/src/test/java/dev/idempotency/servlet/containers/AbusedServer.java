package dev.idempotency.servlet.containers;

import dev.idempotency.IdempotencyConfig;
import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import dev.idempotency.servlet.IdempotencyFilter;
import dev.idempotency.servlet.RoutePolicy;
import dev.idempotency.store.IdempotencyStore;
import dev.idempotency.store.Lease;
import dev.idempotency.store.Outcome;
import dev.idempotency.store.StoreException;
import dev.idempotency.store.memory.InMemoryIdempotencyStore;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A server with a small heap, in a process of its own, for {@link AbuseTest}: prints its port, and
 * ends when its standard input does. Its store keeps small outcomes only, as one in another process
 * would.
 */
final class AbusedServer {

  /** What one large answer has. */
  static final int LARGE = 1_000_000;

  private static volatile boolean away;

  private AbusedServer() {}

  /** With the argument {@code unbounded}, without a bound. */
  public static void main(String[] arguments) throws Exception {
    MemoryBudget memory =
        arguments[0].equals("unbounded") ? MemoryBudget.of(Long.MAX_VALUE) : MemoryBudget.ofHeap();
    try (InMemoryIdempotencyStore records = InMemoryIdempotencyStore.create();
        IdempotencyEngine engine =
            IdempotencyEngine.create(
                elsewhere(records),
                IdempotencyConfig.builder()
                    .memory(memory)
                    .drainTimeout(Duration.ofMillis(1))
                    .build())) {
      IdempotencyFilter filter =
          IdempotencyFilter.builder(engine)
              .scopeByHeader("X-Tenant")
              .everyRoute(RoutePolicy.optional().waitInFlight(Duration.ofMinutes(1)))
              .build();
      Container.Running running =
          Container.ofThisRun().start(List.of(filter), new Shop(engine, memory));
      System.out.println("port " + running.port());
      while (System.in.read() >= 0) {}
      Runtime.getRuntime().halt(0);
    }
  }

  private static IdempotencyStore elsewhere(IdempotencyStore records) {
    return (IdempotencyStore)
        Proxy.newProxyInstance(
            AbusedServer.class.getClassLoader(),
            new Class<?>[] {IdempotencyStore.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("complete")) {
                return complete(records, (Lease) arguments[0], (Outcome) arguments[1]);
              }
              try {
                return method.invoke(records, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private static Object complete(IdempotencyStore records, Lease lease, Outcome outcome) {
    // As written to a socket, and in time or not.
    byte[] written = outcome.toBytes();
    if (away) {
      throw new StoreException(StoreException.Reason.UNAVAILABLE, "no answer in time");
    }
    return records.complete(
        lease,
        written.length < 16 * 1024 ? outcome : Outcome.tombstone(outcome.format(), new byte[0]));
  }

  private static final class Shop extends HttpServlet {

    private static final long serialVersionUID = 1L;

    private final transient IdempotencyEngine engine;
    private final transient MemoryBudget memory;
    private final AtomicInteger together = new AtomicInteger();
    private transient volatile CountDownLatch go = new CountDownLatch(1);

    Shop(IdempotencyEngine engine, MemoryBudget memory) {
      this.engine = engine;
      this.memory = memory;
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      switch (request.getRequestURI()) {
        case "/held" -> response.getWriter().print(memory.held());
        case "/waiting" -> response.getWriter().print(engine.waiters());
        case "/away" -> away = true;
        case "/back" -> away = false;
        case "/go" -> {
          go.countDown();
          go = new CountDownLatch(1);
        }
        default -> response.getWriter().print("plain");
      }
    }

    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      switch (request.getRequestURI()) {
        case "/form" -> response.getWriter().print(request.getParameter("a"));
        case "/large" -> large(request, response);
        case "/slow" -> {
          await(go, 60_000);
          response.setStatus(201);
          response.getWriter().print("slow");
        }
        default -> {
          int length = request.getInputStream().readAllBytes().length;
          response.setStatus(201);
          response.getWriter().print("paid " + length);
        }
      }
    }

    /** Answers when all others have written theirs, or after a while. */
    private void large(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      byte[] piece = new byte[10_000];
      Arrays.fill(piece, (byte) 'x');
      for (int sent = 0; sent < LARGE; sent += piece.length) {
        response.getOutputStream().write(piece);
      }
      int all = request.getIntHeader("X-Together");
      long until = System.nanoTime() + 300_000_000L;
      together.incrementAndGet();
      while (together.get() < all && System.nanoTime() < until) {
        await(go, 10);
      }
    }

    private static void await(CountDownLatch latch, long millis) {
      try {
        boolean unused = latch.await(millis, TimeUnit.MILLISECONDS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
