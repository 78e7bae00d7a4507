package dev.idempotency.grpc;

import dev.idempotency.testing.scenario.Transport;
import dev.idempotency.testing.scenario.TransportScenarios;
import java.util.List;

/** What every way into the engine must do, over gRPC. */
class ScenariosTest extends TransportScenarios {

  @Override
  protected List<Transport> transports() {
    return List.of(GrpcTransport.values());
  }
}
