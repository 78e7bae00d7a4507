package dev.idempotency.example.transfer;

import dev.idempotency.testing.RedisProcess;
import java.time.Duration;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.args.ClientType;
import redis.clients.jedis.params.ClientKillParams;

/**
 * Kills a primary whose replica has not heard from it for a while, as behind a broken network: what
 * it acknowledged meanwhile is lost with it.
 */
final class ReplicaCut {

  private ReplicaCut() {}

  /** Cuts a replica off for so long, then kills its primary with SIGKILL. */
  static void thenKill(RedisProcess primary, RedisProcess replica, Duration cut) {
    try (Jedis jedis = new Jedis("127.0.0.1", replica.port())) {
      // It tries again at once, and is refused.
      jedis.configSet("masteruser", "nobody");
      jedis.configSet("masterauth", "wrong");
      jedis.clientKill(ClientKillParams.clientKillParams().type(ClientType.MASTER));
      SoakFaults.pass(cut);
      primary.kill();
      jedis.configSet("masteruser", "");
      jedis.configSet("masterauth", "");
    }
  }
}
