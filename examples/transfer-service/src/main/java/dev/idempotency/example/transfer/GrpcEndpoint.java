package dev.idempotency.example.transfer;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** The gRPC interface in a Netty server, with reflection and health. */
final class GrpcEndpoint {

  /** Calls whose handlers run at once; the others wait. */
  private static final int THREADS = 64;

  /** Calls of one connection at once; a client that wants more queues them itself. */
  private static final int CALLS_PER_CONNECTION = 100;

  /** A transfer has some hundred bytes. */
  private static final int MAX_MESSAGE_BYTES = 64 * 1024;

  private final Server server;
  private final HealthStatusManager health;
  private final ExecutorService threads;

  private GrpcEndpoint(Server server, HealthStatusManager health, ExecutorService threads) {
    this.server = server;
    this.health = health;
    this.threads = threads;
  }

  /**
   * Starts to serve.
   *
   * @param transfers the service behind its interceptor
   */
  static GrpcEndpoint start(String host, int port, ServerServiceDefinition transfers)
      throws IOException {
    HealthStatusManager health = new HealthStatusManager();
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    Server server =
        NettyServerBuilder.forAddress(new InetSocketAddress(host, port))
            .executor(threads)
            .maxConcurrentCallsPerConnection(CALLS_PER_CONNECTION)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES)
            // A client that pings more often is disconnected.
            .permitKeepAliveTime(30, TimeUnit.SECONDS)
            // Finds clients that have vanished.
            .keepAliveTime(1, TimeUnit.MINUTES)
            .keepAliveTimeout(20, TimeUnit.SECONDS)
            .maxConnectionIdle(10, TimeUnit.MINUTES)
            // Clients come back through the load balancer, to another instance perhaps.
            .maxConnectionAge(30, TimeUnit.MINUTES)
            .maxConnectionAgeGrace(1, TimeUnit.MINUTES)
            .addService(transfers)
            .addService(ProtoReflectionServiceV1.newInstance())
            .addService(health.getHealthService())
            .build();
    try {
      server.start();
    } catch (IOException e) {
      threads.shutdown();
      throw e;
    }
    return new GrpcEndpoint(server, health, threads);
  }

  int port() {
    return server.getPort();
  }

  /** Stops accepting. */
  void shutdown() {
    health.enterTerminalState();
    server.shutdown();
  }

  /** Waits for the calls that run; false if they do not end in time. */
  boolean awaitTermination(Duration drain) throws InterruptedException {
    boolean drained = server.awaitTermination(drain.toMillis(), TimeUnit.MILLISECONDS);
    server.shutdownNow();
    threads.shutdown();
    return drained;
  }
}
