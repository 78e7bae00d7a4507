package dev.idempotency.example.transfer;

import java.util.Random;

/** The Redis of a soak, in one of its deployments, with what goes wrong with it. */
interface SoakRedis extends AutoCloseable {

  /** The address as {@code --redis} takes it. */
  String uri();

  /** The faults of this deployment. */
  SoakFaults faults(Random random);

  @Override
  void close();
}
