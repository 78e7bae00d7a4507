package dev.idempotency.example.transfer;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A bad network between clients and a service, which knows nothing but bytes. Over HTTP/1.1 it
 * throws dice for each exchange: three in ten are cut, in the request or in the answer. Over gRPC
 * it cuts each connection, sooner or later. Thread-safe.
 */
final class ClientProxy implements AutoCloseable {

  private static final int CUT_PERCENT = 30;
  private static final int DELAYED_PERCENT = 20;

  /** About the size of a request and of an answer here, so that a cut is anywhere in it. */
  private static final int EXCHANGE_BYTES = 380;

  private static final byte[] UNAVAILABLE =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
          .getBytes(US_ASCII);

  final AtomicInteger exchanges = new AtomicInteger();
  final AtomicInteger cuts = new AtomicInteger();
  final AtomicInteger answered503 = new AtomicInteger();
  private final ServerSocket server = new ServerSocket(0, 200, InetAddress.getLoopbackAddress());
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final AtomicInteger burst = new AtomicInteger();
  private final boolean http;
  private volatile int upstream;

  ClientProxy(boolean http, int upstream) throws IOException {
    this.http = http;
    this.upstream = upstream;
    start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** New connections go there from now on. */
  void moveTo(int port) {
    upstream = port;
  }

  /** So many exchanges are answered 503 and do not reach the service. */
  void burst(int number) {
    burst.addAndGet(number);
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        sockets.add(client);
        client.setTcpNoDelay(true);
        Socket service;
        try {
          service = new Socket(InetAddress.getLoopbackAddress(), upstream);
        } catch (IOException e) {
          // The service is down; the client sees a connection that breaks.
          sockets.remove(client);
          client.close();
          continue;
        }
        service.setTcpNoDelay(true);
        sockets.add(service);
        Connection connection = new Connection(client, service);
        start(() -> connection.pump(true));
        start(() -> connection.pump(false));
      } catch (IOException e) {
        // Closed, or this client gave up while connecting: the next one may come.
        continue;
      }
    }
  }

  /** One of a client's, with the dice of its current exchange. */
  private final class Connection {

    private final Socket client;
    private final Socket service;
    private volatile boolean answered = true;
    private volatile int requestBytes = Integer.MAX_VALUE;
    private volatile int answerBytes = Integer.MAX_VALUE;

    Connection(Socket client, Socket service) {
      this.client = client;
      this.service = service;
      if (!http) {
        answerBytes = 500 + ThreadLocalRandom.current().nextInt(15_000);
      }
    }

    /** Throws the dice; whether the service gets to see the exchange. */
    private boolean nextExchange() {
      exchanges.incrementAndGet();
      answered = false;
      ThreadLocalRandom random = ThreadLocalRandom.current();
      if (burst.getAndUpdate(left -> Math.max(0, left - 1)) > 0) {
        return false;
      }
      int dice = random.nextInt(100);
      boolean cut = dice < CUT_PERCENT;
      boolean inRequest = random.nextBoolean();
      int bytes = random.nextInt(EXCHANGE_BYTES);
      requestBytes = cut && inRequest ? bytes : Integer.MAX_VALUE;
      answerBytes = cut && !inRequest ? bytes : Integer.MAX_VALUE;
      if (dice >= 100 - DELAYED_PERCENT) {
        LockSupport.parkNanos(random.nextInt(40_000_000));
      }
      return true;
    }

    void pump(boolean request) {
      Socket from = request ? client : service;
      Socket to = request ? service : client;
      try (from;
          to) {
        InputStream in = from.getInputStream();
        byte[] buffer = new byte[16_384];
        for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
          if (http && request && answered && !nextExchange()) {
            unavailable();
            return;
          }
          int left = request ? requestBytes : answerBytes;
          if (!request) {
            answered = true;
          }
          to.getOutputStream().write(buffer, 0, Math.min(left, read));
          if (read >= left) {
            cuts.incrementAndGet();
            return;
          }
          if (left != Integer.MAX_VALUE && request) {
            requestBytes = left - read;
          } else if (left != Integer.MAX_VALUE) {
            answerBytes = left - read;
          }
        }
      } catch (IOException e) {
        // One end is gone: closing both is all there is to do.
      } finally {
        sockets.remove(from);
        sockets.remove(to);
      }
    }

    private void unavailable() throws IOException {
      answered503.incrementAndGet();
      client.getOutputStream().write(UNAVAILABLE);
      client.shutdownOutput();
      // Closing with unread bytes would take the answer back.
      client.setSoTimeout(1_000);
      client.getInputStream().skipNBytes(Long.MAX_VALUE);
    }
  }

  private static void start(Runnable body) {
    Thread thread = new Thread(body, "client-proxy");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() {
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
