package dev.idempotency.grpc;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A network between a gRPC client and its server that can break: it stands on a loopback port and
 * passes bytes on, until it is told to cut. New connections are always taken. Thread-safe.
 */
final class CuttingProxy implements AutoCloseable {

  private final ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  private final int upstreamPort;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean cutNextAnswer = new AtomicBoolean();
  private final AtomicInteger cuts = new AtomicInteger();

  CuttingProxy(int upstreamPort) throws IOException {
    this.upstreamPort = upstreamPort;
    start(this::accept);
  }

  int port() {
    return server.getLocalPort();
  }

  /** The next bytes of the server are lost, and both ends see the connection closed. */
  void cutNextAnswer() {
    cutNextAnswer.set(true);
  }

  /**
   * Closes all connections now, and none that is made meanwhile: a client reconnects as soon as its
   * end is closed, and an iteration over the live set would meet its new connection too. Cut before
   * its first HTTP/2 frame, that one makes the channel back off, and the remaining attempts fail
   * without reaching the server.
   */
  void cutNow() {
    cuts.incrementAndGet();
    List.copyOf(sockets).forEach(CuttingProxy::close);
  }

  /** How often it has cut. */
  int cuts() {
    return cuts.get();
  }

  private void accept() {
    while (!server.isClosed()) {
      try {
        Socket client = server.accept();
        Socket upstream = new Socket(InetAddress.getLoopbackAddress(), upstreamPort);
        client.setTcpNoDelay(true);
        upstream.setTcpNoDelay(true);
        sockets.add(client);
        sockets.add(upstream);
        start(() -> pump(client, upstream, false));
        start(() -> pump(upstream, client, true));
      } catch (IOException e) {
        // Closed, or this client gave up while connecting: the next one may come.
        continue;
      }
    }
  }

  private void pump(Socket from, Socket to, boolean answers) {
    try (from;
        to) {
      InputStream in = from.getInputStream();
      byte[] buffer = new byte[16_384];
      for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
        if (answers && cutNextAnswer.compareAndSet(true, false)) {
          cuts.incrementAndGet();
          return;
        }
        to.getOutputStream().write(buffer, 0, read);
      }
    } catch (IOException e) {
      // One end is gone: closing both is all there is to do.
    } finally {
      sockets.remove(from);
      sockets.remove(to);
    }
  }

  private static void start(Runnable body) {
    Thread thread = new Thread(body, "cutting-proxy");
    thread.setDaemon(true);
    thread.start();
  }

  private static void close(AutoCloseable closed) {
    try {
      closed.close();
    } catch (Exception e) {
      throw new UncheckedIOException(new IOException(e));
    }
  }

  @Override
  public void close() {
    close(server);
    sockets.forEach(CuttingProxy::close);
  }
}
