package dev.idempotency.client;

import java.net.http.HttpRequest.BodyPublisher;
import java.nio.ByteBuffer;
import java.util.concurrent.Flow;

/** Notices when a transport begins to read a request's body: until then nothing of it was sent. */
final class BodyStart {

  private volatile boolean begun = true;

  /** The same body; one that is empty counts as begun, because no transport reads it. */
  BodyPublisher watch(BodyPublisher body) {
    if (body.contentLength() == 0) {
      return body;
    }
    begun = false;
    return new BodyPublisher() {
      @Override
      public long contentLength() {
        return body.contentLength();
      }

      @Override
      public void subscribe(Flow.Subscriber<? super ByteBuffer> subscriber) {
        begun = true;
        body.subscribe(subscriber);
      }
    };
  }

  boolean begun() {
    return begun;
  }
}
