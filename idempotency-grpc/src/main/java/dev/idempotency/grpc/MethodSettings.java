package dev.idempotency.grpc;

import dev.idempotency.InDoubtPolicy;
import io.grpc.Status;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Settings of one method, given by the program. Each one left out is decided by the .proto: the
 * method option, then the service option, then the default. Immutable.
 */
public final class MethodSettings {

  private final Builder values;

  private MethodSettings(Builder values) {
    this.values = values;
  }

  /** Whether a call needs a key. */
  public enum Mode {
    /** A call without a key is refused with INVALID_ARGUMENT. */
    REQUIRED,
    /** A call with a key runs once; a call without one runs every time. */
    OPTIONAL,
    /** The interceptor passes the method by. */
    DISABLED
  }

  /** What a call gets whose key is in flight. */
  public enum InFlight {
    /** ABORTED at once, with pushback. Not safe for clients that hedge. */
    REJECT,
    /** Waits for the outcome and gets it; ABORTED with pushback when the wait is over. */
    WAIT
  }

  /** No settings yet. */
  public static Builder builder() {
    return new Builder();
  }

  Optional<Mode> mode() {
    return Optional.ofNullable(values.mode);
  }

  Optional<String> keyField() {
    return Optional.ofNullable(values.keyField);
  }

  Optional<KeyExtractor<?>> keyExtractor() {
    return Optional.ofNullable(values.keyExtractor);
  }

  Optional<Duration> ttl() {
    return Optional.ofNullable(values.ttl);
  }

  Optional<Duration> refusalTtl() {
    return Optional.ofNullable(values.refusalTtl);
  }

  Optional<Duration> lease() {
    return Optional.ofNullable(values.lease);
  }

  Optional<InFlight> inFlight() {
    return Optional.ofNullable(values.inFlight);
  }

  Optional<Duration> maxWait() {
    return Optional.ofNullable(values.maxWait);
  }

  Optional<InDoubtPolicy> inDoubt() {
    return Optional.ofNullable(values.inDoubt);
  }

  Optional<Boolean> refuseUnknownFields() {
    return Optional.ofNullable(values.refuseUnknownFields);
  }

  Optional<Integer> maxStreamMessages() {
    return Optional.ofNullable(values.maxStreamMessages);
  }

  Map<Status.Code, Ending> endings() {
    return values.endings;
  }

  /** These settings, and for each one left out the other's. */
  MethodSettings orElse(MethodSettings other) {
    Builder both = new Builder(other.values);
    mode().ifPresent(both::mode);
    // A key of a higher source replaces the lower one's, whichever of the two forms either has.
    if (keyField().isPresent() || keyExtractor().isPresent()) {
      both.keyField = values.keyField;
      both.keyExtractor = values.keyExtractor;
    }
    ttl().ifPresent(both::ttl);
    refusalTtl().ifPresent(both::refusalTtl);
    lease().ifPresent(both::lease);
    inFlight().ifPresent(both::inFlight);
    if (inFlight().equals(Optional.of(InFlight.REJECT))) {
      // A method that does not wait has no use for the wait that its service asks for.
      both.maxWait = null;
    }
    maxWait().ifPresent(both::maxWait);
    inDoubt().ifPresent(both::inDoubt);
    refuseUnknownFields().ifPresent(both::refuseUnknownFields);
    maxStreamMessages().ifPresent(both::maxStreamMessages);
    both.endings.putAll(values.endings);
    return both.build();
  }

  /** Collects settings. Not thread-safe. */
  public static final class Builder {

    private @Nullable Mode mode;
    private @Nullable String keyField;
    private @Nullable KeyExtractor<?> keyExtractor;
    private @Nullable Duration ttl;
    private @Nullable Duration refusalTtl;
    private @Nullable Duration lease;
    private @Nullable InFlight inFlight;
    private @Nullable Duration maxWait;
    private @Nullable InDoubtPolicy inDoubt;
    private @Nullable Boolean refuseUnknownFields;
    private @Nullable Integer maxStreamMessages;
    private final Map<Status.Code, Ending> endings = new HashMap<>();

    private Builder() {}

    private Builder(Builder other) {
      mode = other.mode;
      keyField = other.keyField;
      keyExtractor = other.keyExtractor;
      ttl = other.ttl;
      refusalTtl = other.refusalTtl;
      lease = other.lease;
      inFlight = other.inFlight;
      maxWait = other.maxWait;
      inDoubt = other.inDoubt;
      refuseUnknownFields = other.refuseUnknownFields;
      maxStreamMessages = other.maxStreamMessages;
      endings.putAll(other.endings);
    }

    /**
     * Whether a call needs a key; default REQUIRED, but OPTIONAL where nothing but the convention
     * speaks of it: a field {@code idempotency_key}, or {@code request_id} as in AIP-155.
     */
    public Builder mode(Mode value) {
      this.mode = value;
      return this;
    }

    /**
     * Which field holds the key.
     *
     * @param path field names joined by dots, singular all the way, ending in a string
     */
    public Builder keyField(String path) {
      this.keyField = path;
      return this;
    }

    /** How to find the key in messages that are not full protobuf; replaces a key field. */
    public Builder keyExtractor(KeyExtractor<?> extractor) {
      this.keyExtractor = extractor;
      return this;
    }

    /**
     * How long an outcome is kept; default the engine's; longer than the lease, at most 100 years.
     */
    public Builder ttl(Duration duration) {
      this.ttl = duration;
      return this;
    }

    /**
     * How long the record of a refusal lives: a recorded answer with another code than OK. After
     * it, the key is fresh, and a retry runs. Default the TTL; longer than the lease; more than the
     * TTL counts as that.
     */
    public Builder refusalTtl(Duration duration) {
      this.refusalTtl = duration;
      return this;
    }

    /** How long a claim is owned unless renewed; default the engine's; 100 ms to 1 h. */
    public Builder lease(Duration duration) {
      this.lease = duration;
      return this;
    }

    /** What a call gets whose key is in flight; default WAIT. */
    public Builder inFlight(InFlight value) {
      this.inFlight = value;
      return this;
    }

    /**
     * The longest wait for a key in flight; default the interceptor's; above zero, at most 365
     * days.
     */
    public Builder maxWait(Duration duration) {
      this.maxWait = duration;
      return this;
    }

    /** What an end in doubt does; default the engine's. */
    public Builder inDoubt(InDoubtPolicy policy) {
      this.inDoubt = policy;
      return this;
    }

    /** Whether a request with fields that the schema does not know is refused. */
    public Builder refuseUnknownFields(boolean refuse) {
      this.refuseUnknownFields = refuse;
      return this;
    }

    /**
     * Lets a server-streaming method have a policy: its whole answer is kept until the handler
     * closes, stored, and only then sent. An answer of more messages, or of more bytes than the
     * engine's {@code maxOutcomeBytes}, runs to its end but is not kept: its caller and every retry
     * are told so. Not read for unary methods.
     *
     * @param messages how many, 1 to 10,000
     */
    public Builder maxStreamMessages(int messages) {
      this.maxStreamMessages = messages;
      return this;
    }

    /** Codes that are final for the key: stored and replayed. */
    public Builder recordOn(Status.Code... codes) {
      return ending(Ending.RECORD, codes);
    }

    /** Codes that say that surely nothing was executed: a retry may run. Not OK. */
    public Builder releaseOn(Status.Code... codes) {
      return ending(Ending.RELEASE, codes);
    }

    /** Codes that leave it open whether the effect happened. Not OK. */
    public Builder inDoubtOn(Status.Code... codes) {
      return ending(Ending.IN_DOUBT, codes);
    }

    Builder ending(Ending ending, Status.Code... codes) {
      for (Status.Code code : codes) {
        if (code == Status.Code.OK && ending != Ending.RECORD) {
          throw new IllegalArgumentException("OK can only be recorded, but is set to " + ending);
        }
        Ending earlier = endings.put(code, ending);
        if (earlier != null && earlier != ending) {
          throw new IllegalArgumentException(
              code + " is set to " + earlier + " and to " + ending + "; name it in one list only");
        }
      }
      return this;
    }

    /** The settings; checked against the method when it is bound. */
    public MethodSettings build() {
      return new MethodSettings(new Builder(this));
    }
  }
}
