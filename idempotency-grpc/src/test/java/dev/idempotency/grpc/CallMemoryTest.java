package dev.idempotency.grpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.IdempotencyConfig;
import org.junit.jupiter.api.Test;

class CallMemoryTest {

  /** The message is looked at on another thread than the one that sees the connection end. */
  @Test
  void aMessageThatIsLookedAtAfterItsClientDisconnectedHoldsNothing() {
    IdempotencyConfig config = IdempotencyConfig.defaults();
    CallMemory memory = new CallMemory(config);

    memory.callerGone();

    assertThatThrownBy(() -> memory.takeRequest("greedy", 1_000)).isInstanceOf(RefusedCall.class);
    assertThat(config.memory().held()).isZero();
  }
}
