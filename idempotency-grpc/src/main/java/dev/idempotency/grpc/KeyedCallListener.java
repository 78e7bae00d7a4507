package dev.idempotency.grpc;

import dev.idempotency.Operation;
import dev.idempotency.grpc.RequestReader.ReadRequest;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * One call of a method with a policy, as gRPC sees it: keeps its message back until the half-close,
 * finds its key, and then passes it on, to the claim of the key or straight to the handler.
 *
 * <p>gRPC calls one callback at a time. A call without a key is handled as without this
 * interceptor, on the same thread.
 */
final class KeyedCallListener<ReqT, RespT> extends ServerCall.Listener<ReqT> {

  private final InterceptorSettings settings;
  private final MethodPlan<ReqT> plan;
  private final CallOperations<ReqT> operations;
  private final ServerCall<ReqT, RespT> call;
  private final Metadata headers;
  private final ServerCallHandler<ReqT, RespT> next;
  private final InterceptorAnswers<ReqT, RespT> answers;
  private final HandlerSide<ReqT, RespT> handler;
  private final CallClaim<ReqT, RespT> claim;
  private final CallMemory memory;
  private final Context context = Context.current();

  /** Completed, from any thread, when the call is cancelled. */
  private final CompletableFuture<@Nullable Void> gone = new CompletableFuture<>();

  private @Nullable ReqT message;
  private int messages;
  private boolean ready;
  private ServerCall.@Nullable Listener<ReqT> unkeyed;

  KeyedCallListener(
      InterceptorSettings settings,
      MethodPlan<ReqT> plan,
      ServerCall<ReqT, RespT> call,
      Metadata headers,
      ServerCallHandler<ReqT, RespT> next) {
    this.settings = settings;
    this.plan = plan;
    this.operations = new CallOperations<>(settings.scope(), settings.admission(), plan);
    this.call = call;
    this.headers = headers;
    this.next = next;
    this.memory = new CallMemory(settings.engine().config());
    this.answers = InterceptorAnswers.of(settings, plan, call, memory, this::mayReplay);
    this.handler =
        new HandlerSide<>(settings, plan, call, headers, next, answers, memory, context, gone);
    this.claim = new CallClaim<>(settings, plan, call, answers, handler, memory, context, gone);
    var unusedEnd = gone.thenRun(memory::callerGone);
    // At once; onCancel waits for the executor of the call.
    context.addListener(unused -> gone.complete(null), Runnable::run);
  }

  private boolean mayReplay(Optional<Status> stored) {
    Optional<ReplayPermission> permission = settings.mayReplay();
    if (permission.isEmpty()) {
      return true;
    }
    Context previous = context.attach();
    try {
      return permission.get().mayReplay(call, headers, stored);
    } finally {
      context.detach(previous);
    }
  }

  @Override
  public void onMessage(ReqT received) {
    messages++;
    message = received;
    if (messages == 2) {
      // At once, as ServerCalls does: a third one is not asked for, and the half-close behind it
      // would never come.
      call.close(Status.INTERNAL.withDescription("Too many requests"), new Metadata());
    }
  }

  @Override
  public void onHalfClose() {
    ReqT received = message;
    if (gone.isDone() || messages > 1) {
      return;
    }
    if (received == null) {
      // As ServerCalls answers it.
      call.close(Status.INTERNAL.withDescription("Half-closed without a request"), new Metadata());
      return;
    }
    message = null;
    ReqT forHandler;
    Optional<Operation> operation;
    try {
      ReadRequest<ReqT> request = plan.reader().read(received);
      operation = context.call(() -> operations.of(call, headers, request, memory));
      forHandler = request.message();
    } catch (RefusedCall refused) {
      answers.send(refused.answer());
      return;
    } catch (StatusRuntimeException closing) {
      Metadata trailers = closing.getTrailers();
      memory.end();
      call.close(closing.getStatus(), trailers == null ? new Metadata() : trailers);
      return;
      // The application's own parts run here; an Error of theirs must not hang the call either.
    } catch (Throwable thrown) {
      answers.failed(thrown);
      return;
    }
    if (operation.isPresent()) {
      claim.make(operation.get(), forHandler);
    } else {
      startUnkeyed(forHandler);
    }
  }

  private void startUnkeyed(ReqT request) {
    ServerCall.Listener<ReqT> listener = next.startCall(call, headers);
    unkeyed = listener;
    listener.onMessage(request);
    listener.onHalfClose();
    if (ready && call.isReady()) {
      listener.onReady();
    }
  }

  @Override
  public void onCancel() {
    gone.complete(null);
    if (unkeyed != null) {
      unkeyed.onCancel();
    } else {
      handler.onCancel();
    }
  }

  @Override
  public void onComplete() {
    if (unkeyed != null) {
      unkeyed.onComplete();
    } else {
      handler.onComplete();
    }
  }

  @Override
  public void onReady() {
    ready = true;
    if (unkeyed != null) {
      unkeyed.onReady();
    } else {
      handler.onReady();
    }
  }
}
