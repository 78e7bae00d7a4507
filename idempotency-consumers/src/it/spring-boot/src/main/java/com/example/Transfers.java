package com.example;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.server.ResponseStatusException;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;

@RestController
class Transfers {

  static final AtomicInteger DONE = new AtomicInteger();

  @PostMapping("/transfers")
  ResponseEntity<Map<String, Object>> create(@RequestBody Map<String, Object> transfer) {
    return ResponseEntity.status(HttpStatus.CREATED).body(done(transfer));
  }

  @PostMapping("/callable")
  Callable<Map<String, Object>> callable(@RequestBody Map<String, Object> transfer) {
    return () -> done(transfer);
  }

  @PostMapping("/deferred")
  DeferredResult<Map<String, Object>> deferred(@RequestBody Map<String, Object> transfer) {
    DeferredResult<Map<String, Object>> result = new DeferredResult<>();
    CompletableFuture.runAsync(() -> result.setResult(done(transfer)));
    return result;
  }

  @PostMapping("/emitter")
  SseEmitter emitter(@RequestBody Map<String, Object> transfer) {
    SseEmitter emitter = new SseEmitter();
    CompletableFuture.runAsync(
        () -> {
          try {
            emitter.send(done(transfer));
            emitter.complete();
          } catch (IOException e) {
            emitter.completeWithError(e);
          }
        });
    return emitter;
  }

  @PostMapping("/streamed")
  StreamingResponseBody streamed(@RequestBody Map<String, Object> transfer) {
    return out -> out.write(done(transfer).toString().getBytes());
  }

  @PostMapping("/refused")
  void refused() {
    DONE.incrementAndGet();
    throw new ResponseStatusException(HttpStatus.CONFLICT, "row 4711 is locked");
  }

  private static Map<String, Object> done(Map<String, Object> transfer) {
    return Map.of("number", DONE.incrementAndGet(), "amount", transfer.get("amount"));
  }
}
