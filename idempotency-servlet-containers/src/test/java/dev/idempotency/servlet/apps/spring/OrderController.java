package dev.idempotency.servlet.apps.spring;

import dev.idempotency.servlet.apps.Shop;
import jakarta.validation.Valid;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotBlank;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PatchMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RequestPart;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.multipart.MultipartFile;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;
import org.springframework.web.servlet.support.ServletUriComponentsBuilder;

@RestController
@RequestMapping("/orders")
class OrderController {

  private final Shop shop;

  OrderController(Shop shop) {
    this.shop = shop;
  }

  record Order(@NotBlank String item, @Min(1) int quantity) {}

  private Shop.Receipt place(Order order) {
    return shop.place(order.item(), order.quantity());
  }

  @PostMapping
  ResponseEntity<Shop.Receipt> create(@Valid @RequestBody Order order) {
    Shop.Receipt receipt = place(order);
    URI location =
        ServletUriComponentsBuilder.fromCurrentRequest()
            .path("/{id}")
            .buildAndExpand(receipt.id())
            .toUri();
    return ResponseEntity.created(location).eTag(receipt.id()).body(receipt);
  }

  @PostMapping(path = "/form", consumes = MediaType.APPLICATION_FORM_URLENCODED_VALUE)
  Shop.Receipt form(@RequestParam String item, @RequestParam int quantity) {
    return shop.place(item, quantity);
  }

  @PostMapping("/model")
  Shop.Receipt model(@Valid @ModelAttribute Order order) {
    return place(order);
  }

  @PatchMapping("/form")
  Shop.Receipt change(@RequestParam String[] item) {
    return shop.place(String.join("+", item), 1);
  }

  @PostMapping(path = "/files", consumes = MediaType.MULTIPART_FORM_DATA_VALUE)
  Shop.Receipt files(@RequestParam String item, @RequestPart MultipartFile list)
      throws IOException {
    return shop.place(item, list.getBytes().length);
  }

  @PostMapping("/later")
  DeferredResult<Shop.Receipt> later(@RequestBody Order order) {
    DeferredResult<Shop.Receipt> result = new DeferredResult<>();
    new Thread(
            () -> {
              try {
                result.setResult(place(order));
              } catch (RuntimeException e) {
                result.setErrorResult(e);
              }
            })
        .start();
    return result;
  }

  @PostMapping("/never")
  DeferredResult<Shop.Receipt> never(@RequestBody Order order) {
    place(order);
    return new DeferredResult<>(50L);
  }

  @PostMapping("/callable")
  Callable<ResponseEntity<Shop.Receipt>> callable(@RequestBody Order order) {
    return () -> ResponseEntity.accepted().header("X-Queue", "7").body(place(order));
  }

  @PostMapping("/future")
  CompletableFuture<Shop.Receipt> future(@RequestBody Order order) {
    return CompletableFuture.supplyAsync(() -> place(order));
  }

  @PostMapping("/stream")
  ResponseEntity<StreamingResponseBody> stream(@RequestBody Order order) {
    Shop.Receipt receipt = place(order);
    return ResponseEntity.ok()
        .contentType(MediaType.TEXT_PLAIN)
        .body(
            out -> {
              for (int line = 0; line < 1000; line++) {
                out.write("x".repeat(120).getBytes(StandardCharsets.US_ASCII));
                out.flush();
              }
              if (order.item().startsWith("broken")) {
                throw new IOException("made up");
              }
              out.write(("\n" + receipt.id() + "\nend\n").getBytes(StandardCharsets.US_ASCII));
            });
  }

  @PostMapping("/events")
  SseEmitter events(@RequestBody Order order) {
    SseEmitter events = new SseEmitter();
    new Thread(
            () -> {
              try {
                events.send(SseEmitter.event().name("placed").data(place(order)));
                events.send("done");
                events.complete();
              } catch (IOException | RuntimeException e) {
                events.completeWithError(e);
              }
            })
        .start();
    return events;
  }
}
