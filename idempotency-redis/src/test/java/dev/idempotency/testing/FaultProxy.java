package dev.idempotency.testing;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.Queue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A bad network between a Redis client and a real Redis: it stands on a loopback port, passes whole
 * RESP messages on, and does to each what its plan says.
 *
 * <p>One thread for each direction of each connection. The plan may be changed at any time, also
 * while messages pass. Thread-safe.
 */
public final class FaultProxy implements AutoCloseable {

  /** Which way a message goes. */
  public enum Direction {
    REQUEST,
    REPLY
  }

  /**
   * A message about to be passed on.
   *
   * @param connection number of its connection, from 0
   * @param direction which way it goes
   * @param command name of the command, also for its reply, in upper case; {@code "PUSH"} for what
   *     no command asked for
   * @param argument the first argument of a request, for {@code EVALSHA} the digest of the script;
   *     empty for a reply
   * @param index number of the message in its connection and direction, from 0
   */
  public record Message(
      int connection, Direction direction, String command, String argument, int index) {}

  /** What becomes of a message. */
  public sealed interface Action {
    /** It arrives. */
    record Pass() implements Action {}

    /**
     * It is lost, and so is everything behind it in this direction of this connection: a byte
     * stream has no holes.
     */
    record Swallow() implements Action {}

    /** It arrives later, even if the sender is gone by then. */
    record Delay(Duration by) implements Action {}

    /** It arrives when the latch opens, even if the sender is gone by then. */
    record Hold(CountDownLatch until) implements Action {}

    /** Another arrives instead. */
    record Replace(byte[] with) implements Action {}

    /** It arrives, each byte so long after the one before. */
    record Drip(Duration between) implements Action {}

    /** It arrives at this rate, as over a slow link. */
    record Throttle(int bytesPerSecond) implements Action {}

    /** Its first bytes arrive, then both ends see the connection closed. */
    record Cut(int afterBytes) implements Action {}
  }

  /** Decides for each message. Called by many threads at once. */
  @FunctionalInterface
  public interface Plan {
    /** What to do with this message. */
    Action on(Message message);
  }

  private static final Action PASS = new Action.Pass();

  private final ServerSocket server;
  private volatile int upstreamPort;
  private final AtomicReference<Plan> plan = new AtomicReference<>(message -> PASS);
  private final AtomicInteger connections = new AtomicInteger();
  private final AtomicInteger faults = new AtomicInteger();
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean halfOpen;

  private FaultProxy(int upstreamPort) throws IOException {
    this.upstreamPort = upstreamPort;
    this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    start("fault-proxy-accept", this::accept);
  }

  /** A proxy in front of a port on 127.0.0.1 that passes everything on. */
  public static FaultProxy before(RedisProcess redis) {
    try {
      return new FaultProxy(redis.port());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The port on 127.0.0.1. */
  public int port() {
    return server.getLocalPort();
  }

  /** The address as {@code RedisIdempotencyStore.builder().uri(…)} takes it. */
  public String uri() {
    return "redis://127.0.0.1:" + port();
  }

  /** From now on each message fares as this plan says. */
  public void follow(Plan next) {
    plan.set(next);
  }

  /** From now on everything arrives. */
  public void heal() {
    halfOpen = false;
    plan.set(message -> PASS);
  }

  /** The next message of this command in this direction fares so; all others arrive. */
  public void once(Direction direction, String command, Action action) {
    AtomicInteger left = new AtomicInteger(1);
    plan.set(
        message ->
            message.direction() == direction
                    && message.command().equals(command)
                    && left.getAndDecrement() > 0
                ? action
                : PASS);
  }

  /**
   * From now on new connections are accepted and never answered, and standing ones are cut at their
   * next message.
   */
  public void halfOpen() {
    halfOpen = true;
    plan.set(message -> new Action.Cut(0));
  }

  /**
   * From now on new connections lead to this Redis, as an address that was moved does; standing
   * ones are cut at their next message.
   */
  public void leadTo(RedisProcess next) {
    upstreamPort = next.port();
    int firstNew = connections.get();
    plan.set(message -> message.connection() < firstNew ? new Action.Cut(0) : PASS);
  }

  /** How many messages did not simply arrive, since the start. */
  public int faults() {
    return faults.get();
  }

  /**
   * A plan that loses, delays and cuts at random: what becomes of the n-th message of the m-th
   * connection follows from the seed.
   *
   * @param percent of messages that do not simply arrive
   * @param longestDelay of a delayed one
   */
  public static Plan random(long seed, int percent, Duration longestDelay) {
    return message -> {
      long mixed = seed;
      for (int each :
          new int[] {message.connection(), message.direction().ordinal(), message.index()}) {
        mixed = new SplittableRandom(mixed * 31 + each).nextLong();
      }
      SplittableRandom random = new SplittableRandom(mixed);
      if (random.nextInt(100) >= percent) {
        return PASS;
      }
      return switch (random.nextInt(4)) {
        case 0 -> new Action.Swallow();
        case 1 -> new Action.Cut(random.nextInt(40));
        default -> new Action.Delay(Duration.ofNanos(random.nextLong(longestDelay.toNanos())));
      };
    };
  }

  private void accept() {
    while (closed.getCount() > 0) {
      try {
        Socket client = server.accept();
        sockets.add(client);
        if (halfOpen) {
          faults.incrementAndGet();
        } else {
          connect(client);
        }
      } catch (IOException e) {
        // The proxy is closed, or this client gave up while connecting: the next one may come.
        continue;
      }
    }
  }

  private void connect(Socket client) throws IOException {
    Socket redis;
    try {
      redis = new Socket(InetAddress.getLoopbackAddress(), upstreamPort);
    } catch (IOException e) {
      client.close();
      throw e;
    }
    client.setTcpNoDelay(true);
    redis.setTcpNoDelay(true);
    sockets.add(redis);
    int number = connections.getAndIncrement();
    Queue<String> asked = new ConcurrentLinkedQueue<>();
    start(
        "fault-proxy-request-" + number,
        () -> pump(number, Direction.REQUEST, client, redis, asked));
    start("fault-proxy-reply-" + number, () -> pump(number, Direction.REPLY, redis, client, asked));
  }

  private static void start(String name, Runnable body) {
    Thread thread = new Thread(body, name);
    thread.setDaemon(true);
    thread.start();
  }

  private void pump(int number, Direction direction, Socket from, Socket to, Queue<String> asked) {
    try (from;
        to) {
      RespReader reader = new RespReader(from.getInputStream());
      OutputStream out = to.getOutputStream();
      boolean deaf = false;
      int index = 0;
      for (byte[] bytes = reader.next(); bytes.length > 0; bytes = reader.next()) {
        if (deaf) {
          continue;
        }
        String command = command(direction, bytes, asked);
        String argument = direction == Direction.REQUEST ? RespReader.argumentOf(bytes) : "";
        Action action = plan.get().on(new Message(number, direction, command, argument, index++));
        if (!(action instanceof Action.Pass)) {
          faults.incrementAndGet();
        }
        if (action instanceof Action.Swallow) {
          deaf = true;
          continue;
        }
        if (action instanceof Action.Cut cut) {
          out.write(bytes, 0, Math.min(cut.afterBytes(), bytes.length));
          return;
        }
        if (action instanceof Action.Delay delay
            && closed.await(delay.by().toNanos(), TimeUnit.NANOSECONDS)) {
          return;
        }
        if (action instanceof Action.Hold hold && !opens(hold.until())) {
          return;
        }
        if (direction == Direction.REQUEST) {
          asked.add(command);
        }
        if (action instanceof Action.Drip drip) {
          drip(bytes, drip.between(), out);
          continue;
        }
        if (action instanceof Action.Throttle throttle) {
          throttle(bytes, throttle.bytesPerSecond(), out);
          continue;
        }
        out.write(action instanceof Action.Replace other ? other.with() : bytes);
      }
    } catch (IOException e) {
      // One end is gone: closing both is all there is to do.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      sockets.remove(from);
      sockets.remove(to);
    }
  }

  private void drip(byte[] bytes, Duration between, OutputStream out)
      throws IOException, InterruptedException {
    for (byte each : bytes) {
      if (closed.await(between.toNanos(), TimeUnit.NANOSECONDS)) {
        return;
      }
      out.write(each);
    }
  }

  private void throttle(byte[] bytes, int bytesPerSecond, OutputStream out)
      throws IOException, InterruptedException {
    int piece = Math.max(1, bytesPerSecond / 50);
    for (int from = 0; from < bytes.length; from += piece) {
      int length = Math.min(piece, bytes.length - from);
      long nanos = TimeUnit.SECONDS.toNanos(1) * length / bytesPerSecond;
      if (closed.await(nanos, TimeUnit.NANOSECONDS)) {
        return;
      }
      out.write(bytes, from, length);
    }
  }

  /** False if the proxy was closed first. */
  private boolean opens(CountDownLatch latch) throws InterruptedException {
    while (!latch.await(50, TimeUnit.MILLISECONDS)) {
      if (closed.getCount() == 0) {
        return false;
      }
    }
    return true;
  }

  private static String command(Direction direction, byte[] bytes, Queue<String> asked) {
    if (direction == Direction.REQUEST) {
      return RespReader.commandOf(bytes);
    }
    String command = bytes[0] == '>' ? null : asked.poll();
    return command == null ? "PUSH" : command;
  }

  @Override
  public void close() {
    closed.countDown();
    try {
      server.close();
      for (Socket socket : sockets) {
        socket.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
