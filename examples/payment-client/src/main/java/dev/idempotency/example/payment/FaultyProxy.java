package dev.idempotency.example.payment;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A network between client and service: it loses requests and answers, delays some, and is down for
 * a while. One request for each connection. Thread-safe.
 */
final class FaultyProxy implements AutoCloseable {

  /** What happens to one exchange. */
  private enum Fault {
    NONE,
    REQUEST_LOST,
    ANSWER_LOST,
    ANSWER_LATE
  }

  private final URI service;
  private final Faults faults;
  private final ServerSocket listening = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
  private final ExecutorService threads =
      Executors.newCachedThreadPool(
          task -> {
            Thread thread = new Thread(task, "faulty-proxy");
            thread.setDaemon(true);
            return thread;
          });

  private FaultyProxy(URI service, Faults faults) throws IOException {
    this.service = service;
    this.faults = faults;
  }

  /** When things go wrong, on the clock of the run. */
  private static final class Faults {

    private final RunClock clock;
    private final long downFrom;
    private final long downUntil;
    private final Random random;

    Faults(RunClock clock, long downFrom, long downUntil, long seed) {
      this.clock = clock;
      this.downFrom = downFrom;
      this.downUntil = downUntil;
      this.random = new Random(seed);
    }

    boolean down() {
      long now = clock.millis();
      return now >= downFrom && now < downUntil;
    }

    synchronized Fault next() {
      return switch (random.nextInt(10)) {
        case 0 -> Fault.REQUEST_LOST;
        case 1, 2 -> Fault.ANSWER_LOST;
        case 3 -> Fault.ANSWER_LATE;
        default -> Fault.NONE;
      };
    }
  }

  /** Starts it in front of a service; down between two times in milliseconds. */
  static FaultyProxy start(URI service, RunClock clock, long downFrom, long downUntil)
      throws IOException {
    FaultyProxy proxy = new FaultyProxy(service, new Faults(clock, downFrom, downUntil, 7));
    proxy.threads.execute(proxy::accept);
    return proxy;
  }

  URI address() {
    return URI.create("http://127.0.0.1:" + listening.getLocalPort());
  }

  private void accept() {
    while (!listening.isClosed()) {
      try {
        Socket client = listening.accept();
        threads.execute(() -> serve(client));
      } catch (IOException e) {
        // Closed: the run is over.
        return;
      }
    }
  }

  private void serve(Socket client) {
    try (client) {
      byte[] request = HttpMessages.request(client.getInputStream());
      Fault fault = faults.next();
      if (fault == Fault.REQUEST_LOST) {
        return;
      }
      if (faults.down()) {
        client
            .getOutputStream()
            .write(
                "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
                    .getBytes(UTF_8));
        return;
      }
      byte[] answer = forwarded(request);
      if (fault == Fault.ANSWER_LATE) {
        // Later than the client waits for one attempt.
        Thread.sleep(1_500);
      }
      if (fault != Fault.ANSWER_LOST) {
        client.getOutputStream().write(answer);
      }
    } catch (IOException e) {
      // The client has gone, or the service is not there: it sees a lost connection.
      return;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private byte[] forwarded(byte[] request) throws IOException {
    try (Socket upstream = new Socket(service.getHost(), service.getPort())) {
      OutputStream out = upstream.getOutputStream();
      out.write(request);
      out.flush();
      InputStream in = upstream.getInputStream();
      return in.readAllBytes();
    }
  }

  @Override
  public void close() throws IOException {
    listening.close();
    threads.shutdownNow();
  }
}
