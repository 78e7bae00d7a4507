package dev.idempotency.client;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * Answers one connection after the other with a text each, and closes it. A text that ends with
 * {@link #SILENCE} or {@link #ENDLESS} keeps its connection.
 */
final class SocketServer implements AutoCloseable {

  static final String SILENCE = "<silence>";
  static final String ENDLESS = "<endless>";

  final List<String> requests = new CopyOnWriteArrayList<>();
  private final List<Socket> open = new CopyOnWriteArrayList<>();
  private final Deque<String> script = new ArrayDeque<>();
  private final ServerSocket listening = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
  private final Thread acceptor;

  SocketServer() throws IOException {
    acceptor =
        start(
            () -> {
              while (true) {
                Socket socket = listening.accept();
                open.add(socket);
                Thread unused = start(() -> serve(socket));
              }
            });
  }

  URI uri() {
    return URI.create("http://127.0.0.1:" + listening.getLocalPort() + "/v1/transfers");
  }

  /** The last of these is repeated. */
  void answer(String... answers) {
    synchronized (script) {
      script.clear();
      script.addAll(List.of(answers));
    }
  }

  private String next() {
    synchronized (script) {
      return script.size() > 1 ? script.remove() : script.element();
    }
  }

  private void serve(Socket socket) throws IOException {
    requests.add(read(socket));
    String answer = next();
    OutputStream out = socket.getOutputStream();
    out.write(answer.replace(SILENCE, "").replace(ENDLESS, "").getBytes(UTF_8));
    out.flush();
    while (answer.endsWith(ENDLESS)) {
      out.write(("1000\r\n" + "x".repeat(0x1000) + "\r\n").getBytes(UTF_8));
    }
    if (!answer.endsWith(SILENCE)) {
      socket.close();
    }
  }

  static String read(Socket socket) throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), UTF_8));
    StringBuilder request = new StringBuilder();
    int length = 0;
    for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
      request.append(line).append('\n');
      if (line.regionMatches(true, 0, "Content-Length: ", 0, 16)) {
        length = Integer.parseInt(line.substring(16));
      }
    }
    char[] body = new char[length];
    int got = 0;
    while (got < length) {
      int read = in.read(body, got, length - got);
      if (read < 0) {
        break;
      }
      got += read;
    }
    return request.append(body, 0, got).toString();
  }

  private interface Work {
    void run() throws IOException;
  }

  private static Thread start(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (IOException e) {
                // The test is over, or the client has enough.
                return;
              }
            });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  /** Until its thread has left accept(), the system lets clients connect all the same. */
  @Override
  public void close() throws IOException {
    listening.close();
    try {
      acceptor.join();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    for (Socket each : open) {
      each.close();
    }
  }
}
