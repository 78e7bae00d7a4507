package dev.idempotency.testing.scenario;

import java.util.Optional;

/**
 * What a client sends.
 *
 * @param key none to send none
 * @param caller as whom; none for an anonymous caller
 */
public record Call(Route route, Optional<String> key, byte[] body, Optional<String> caller) {

  /** The policies that each driver gives to its methods or paths. */
  public enum Route {
    /** A key is required; one in flight is refused at once. */
    REFUSE,
    /** A key is required; one in flight is waited for, for 20 s. */
    WAIT,
    /** Runs unprotected without a key; one in flight is refused at once. */
    OPTIONAL,
    /** As {@link #REFUSE}, with requests of at most {@link Transport#SMALL_REQUEST} bytes. */
    SMALL
  }

  /** An anonymous call with a key. */
  public static Call with(String key, String body) {
    return new Call(Route.REFUSE, Optional.of(key), Stage.bytes(body), Optional.empty());
  }

  /** The same call on another route. */
  public Call on(Route other) {
    return new Call(other, key, body, caller);
  }

  /** The same call without a key. */
  public Call withoutKey() {
    return new Call(route, Optional.empty(), body, caller);
  }

  /** The same call of somebody. */
  public Call by(String somebody) {
    return new Call(route, key, body, Optional.of(somebody));
  }

  /** The same call with another body. */
  public Call saying(byte[] other) {
    return new Call(route, key, other, caller);
  }
}
