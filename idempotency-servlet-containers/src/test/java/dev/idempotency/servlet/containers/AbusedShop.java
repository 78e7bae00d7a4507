package dev.idempotency.servlet.containers;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.idempotency.IdempotencyEngine;
import dev.idempotency.MemoryBudget;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** What the {@link AbusedServer} serves: payments, and what is there to be abused. */
final class AbusedShop extends HttpServlet {

  /** What one large answer has. */
  static final int LARGE = 1_000_000;

  private static final long serialVersionUID = 1L;

  private final transient IdempotencyEngine engine;
  private final transient MemoryBudget memory;
  private final transient Path ledger;
  private final AtomicInteger payments = new AtomicInteger();
  private final AtomicInteger together = new AtomicInteger();
  private final transient Queue<Held> held = new ConcurrentLinkedQueue<>();
  private transient volatile CountDownLatch go = new CountDownLatch(1);

  /** A request that was not answered yet. */
  private record Held(AsyncContext context, byte[] body) {}

  AbusedShop(IdempotencyEngine engine, MemoryBudget memory, Path ledger) {
    this.engine = engine;
    this.memory = memory;
    this.ledger = ledger;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    switch (request.getRequestURI()) {
      case "/held" -> response.getWriter().print(memory.held());
      case "/waiting" -> response.getWriter().print(engine.waiters());
      case "/pending" -> response.getWriter().print(engine.pendingWrites());
      case "/go" -> go();
      default -> response.getWriter().print("plain");
    }
  }

  private void go() {
    go.countDown();
    go = new CountDownLatch(1);
    for (Held each = held.poll(); each != null; each = held.poll()) {
      try {
        each.context().complete();
      } catch (IllegalStateException ended) {
        // The container has ended it: its client is gone.
        continue;
      }
    }
  }

  @Override
  protected void doPost(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    switch (request.getRequestURI()) {
      case "/form" -> response.getWriter().print(request.getParameter("a"));
      case "/large" -> large(request, response, false);
      case "/pending", "/keep" -> large(request, response, true);
      case "/async" -> async(request);
      case "/slow" -> {
        await(go, 60_000);
        response.setStatus(201);
        response.getWriter().print("slow");
      }
      default -> pay(request, response);
    }
  }

  private void pay(HttpServletRequest request, HttpServletResponse response) throws IOException {
    byte[] body = request.getInputStream().readAllBytes();
    String reference = body.length > 20 ? "much" : new String(body, UTF_8);
    String paid =
        "paid "
            + reference
            + " by "
            + request.getHeader("X-Tenant")
            + " as "
            + payments.incrementAndGet();
    synchronized (this) {
      Files.writeString(ledger, paid + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }
    response.setStatus(201);
    response.getWriter().print(paid);
  }

  /** Answered by {@code /go}; its body is in memory until then. */
  private void async(HttpServletRequest request) throws IOException {
    byte[] body = request.getInputStream().readAllBytes();
    AsyncContext context = request.startAsync();
    context.setTimeout(0);
    held.add(new Held(context, body));
  }

  /** Answers when all others have written theirs, or after a while. */
  private void large(HttpServletRequest request, HttpServletResponse response, boolean random)
      throws IOException {
    byte[] piece = new byte[10_000];
    Arrays.fill(piece, (byte) 'x');
    SplittableRandom bytes = new SplittableRandom();
    for (int sent = 0; sent < LARGE; sent += piece.length) {
      if (random) {
        bytes.nextBytes(piece);
      }
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
