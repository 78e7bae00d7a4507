package dev.idempotency.servlet.containers;

import dev.idempotency.testing.scenario.Transport;
import dev.idempotency.testing.scenario.TransportScenarios;
import java.net.http.HttpClient;
import java.util.List;

/** What every way into the engine must do, over HTTP, on the container of this run. */
class ContainerScenariosTest extends TransportScenarios {

  @Override
  protected List<Transport> transports() {
    return List.of(
        new ServletTransport(Container.ofThisRun(), HttpClient.Version.HTTP_1_1),
        new ServletTransport(Container.ofThisRun(), HttpClient.Version.HTTP_2));
  }
}
