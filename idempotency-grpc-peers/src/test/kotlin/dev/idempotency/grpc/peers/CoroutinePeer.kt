package dev.idempotency.grpc.peers

import dev.idempotency.grpc.peers.v1.PayRequest
import dev.idempotency.grpc.peers.v1.Payment
import dev.idempotency.grpc.peers.v1.PeerServiceGrpcKt
import java.util.concurrent.CountDownLatch
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred

/** A handler that suspends between its effect and its answer. */
class CoroutinePeer : PeerServiceGrpcKt.PeerServiceCoroutineImplBase() {
  val effects = AtomicInteger()
  val running = CountDownLatch(1)
  private val gate = CompletableDeferred<Unit>()

  fun open() {
    gate.complete(Unit)
  }

  override suspend fun pay(request: PayRequest): Payment {
    val effect = effects.incrementAndGet()
    running.countDown()
    gate.await()
    return Payment.newBuilder().setId("p-$effect").build()
  }
}
