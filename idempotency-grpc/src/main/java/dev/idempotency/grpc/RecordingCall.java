package dev.idempotency.grpc;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * The call as the handler sees it: keeps what the handler sends until it closes, and then hands it
 * over, once. Only its {@code close} proves an outcome.
 *
 * <p>Used as any {@code ServerCall}, by one thread at a time; {@link #handlerThrew}, {@link
 * #callerGone} and {@link #limitOver} may come from any.
 */
final class RecordingCall<ReqT, RespT> extends SimpleForwardingServerCall<ReqT, RespT> {

  /** Takes what the handler answered. */
  interface Recorder<RespT> {

    /**
     * The handler has ended.
     *
     * @param answer its own, or that of a server whose handler failed
     * @param messages that the handler sent
     * @param onPurpose whether the handler closed the call, correctly
     */
    void ended(RecordedAnswer answer, List<MarshalledMessage<RespT>> messages, boolean onPurpose);
  }

  private static final System.Logger LOG = System.getLogger(IdempotencyInterceptor.class.getName());

  private final Recorder<RespT> recorder;
  private final AtomicBoolean ended = new AtomicBoolean();
  private final AtomicBoolean gone = new AtomicBoolean();
  private final CompletableFuture<@Nullable Void> end = new CompletableFuture<>();
  private final RecordedMessages<RespT> messages;
  private final CallMemory memory;
  private final boolean streams;
  private final boolean shielded;
  private final InterceptorSettings settings;
  private volatile boolean limitOver;
  private @Nullable Metadata headers;

  /** By the handler itself; the call may end without it, at a limit for example. */
  private boolean closed;

  /**
   * @param messages takes what the handler sends
   * @param memory of the call
   * @param settings for what exceptions mean, and for the timer
   * @param shielded whether the handler must not see that its client has gone
   */
  RecordingCall(
      ServerCall<ReqT, RespT> call,
      RecordedMessages<RespT> messages,
      CallMemory memory,
      InterceptorSettings settings,
      boolean shielded,
      Recorder<RespT> recorder) {
    super(call);
    this.messages = messages;
    this.memory = memory;
    this.streams = !call.getMethodDescriptor().getType().serverSendsOneMessage();
    this.shielded = shielded;
    this.settings = settings;
    this.recorder = recorder;
  }

  @Override
  public boolean isCancelled() {
    return shielded ? limitOver : super.isCancelled();
  }

  /** Nothing more to ask for: the one message is here already. */
  @Override
  public void request(int numMessages) {}

  /** Always, until the end: nothing is written to the transport before. */
  @Override
  public boolean isReady() {
    return !ended.get();
  }

  @Override
  public void sendHeaders(Metadata sent) {
    if (headers != null) {
      throw new IllegalStateException("sendHeaders has already been called");
    }
    // A copy: the handler may go on using its own.
    headers = copy(sent);
  }

  @Override
  public void sendMessage(RespT sent) {
    if (headers == null) {
      throw new IllegalStateException("sendHeaders has not been called");
    }
    if (closed) {
      throw new IllegalStateException("call is closed");
    }
    if (ended.get()) {
      // As gRPC does when a call is cancelled: no exception into a handler that is late.
      return;
    }
    if (!streams && !messages.isEmpty()) {
      fail(Status.INTERNAL.withDescription("Too many responses"));
      return;
    }
    try {
      messages.add(
          MarshalledMessage.of(getMethodDescriptor().getResponseMarshaller(), sent), memory);
    } catch (RuntimeException e) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the response of " + getMethodDescriptor().getFullMethodName() + " cannot be written",
          e);
      fail(Status.INTERNAL.withDescription("Error serializing the response"));
    }
  }

  @Override
  public void close(Status status, Metadata trailers) {
    if (closed) {
      throw new IllegalStateException("call already closed");
    }
    closed = true;
    if (!streams && status.isOk() && messages.isEmpty()) {
      fail(Status.INTERNAL.withDescription("Completed without a response"));
      return;
    }
    // As stubs close for onError(exception), where the exception says no status.
    Optional<StatusException> mapped =
        status.getCode() == Status.Code.UNKNOWN && status.getCause() != null
            ? mapped(status.getCause())
            : Optional.empty();
    boolean first = mapped.isPresent() ? end(mapped.get()) : end(status, copy(trailers), true);
    if (!first) {
      LOG.log(
          System.Logger.Level.WARNING,
          "{0} was closed too late, with {1}: its outcome is in doubt already",
          getMethodDescriptor().getFullMethodName(),
          status.getCode());
    }
  }

  /** The handler let an exception out of a callback; without effect after its end. */
  void handlerThrew(Throwable thrown) {
    Optional<StatusException> mapped = mapped(thrown);
    if (mapped.isPresent() && end(mapped.get())) {
      return;
    }
    boolean first =
        fail(Status.UNKNOWN.withDescription("Application error processing RPC").withCause(thrown));
    LOG.log(
        first ? System.Logger.Level.ERROR : System.Logger.Level.WARNING,
        "the handler of "
            + getMethodDescriptor().getFullMethodName()
            + (first ? " threw; its outcome is in doubt" : " threw after it had closed; ignored"),
        thrown);
  }

  private Optional<StatusException> mapped(Throwable thrown) {
    try {
      return settings.exceptions().map(thrown).filter(mapped -> !mapped.getStatus().isOk());
    } catch (RuntimeException | Error e) {
      LOG.log(System.Logger.Level.ERROR, "the exception mapper threw; not mapped: " + thrown, e);
      return Optional.empty();
    }
  }

  private boolean end(StatusException mapped) {
    Metadata trailers = mapped.getTrailers();
    return end(mapped.getStatus(), trailers == null ? new Metadata() : copy(trailers), true);
  }

  /** Nobody waits for the answer any more. It is recorded if it comes within the limit. */
  void callerGone(Duration limit) {
    if (gone.getAndSet(true) || ended.get()) {
      return;
    }
    Future<?> timer =
        settings
            .threads()
            .after(
                limit,
                () -> fail(Status.CANCELLED.withDescription("the handler did not close the call")));
    onEnd(() -> timer.cancel(false));
  }

  /** The handler of a shielded call took longer than it may; without effect after its end. */
  boolean limitOver(Duration limit) {
    limitOver =
        fail(
            Status.DEADLINE_EXCEEDED.withDescription(
                "the handler did not close the call within its limit of " + limit));
    return limitOver;
  }

  /** Runs when the handler has ended. */
  void onEnd(Runnable task) {
    var unused = end.thenRun(task);
  }

  private boolean fail(Status status) {
    return end(status, new Metadata(), false);
  }

  private boolean end(Status status, Metadata trailers, boolean onPurpose) {
    if (!ended.compareAndSet(false, true)) {
      return false;
    }
    end.complete(null);
    // A unary error is Trailers-Only: a message sent before it can never be replayed.
    boolean withMessages = onPurpose && (streams || status.isOk());
    RecordedAnswer answer =
        new RecordedAnswer(
            status,
            trailers,
            onPurpose ? Optional.ofNullable(headers) : Optional.empty(),
            withMessages ? messages.serialized() : List.of(),
            withMessages && messages.truncated());
    List<MarshalledMessage<RespT>> sent = withMessages ? messages.messages() : List.of();
    // The transport keeps this call until its client has read the answer, when its memory is given
    // back.
    messages.letGo();
    recorder.ended(answer, sent, onPurpose);
    return true;
  }

  private static Metadata copy(Metadata metadata) {
    Metadata copy = new Metadata();
    copy.merge(metadata);
    return copy;
  }
}
