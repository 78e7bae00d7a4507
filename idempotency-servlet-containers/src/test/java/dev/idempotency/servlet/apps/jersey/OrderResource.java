package dev.idempotency.servlet.apps.jersey;

import dev.idempotency.servlet.apps.Shop;
import jakarta.inject.Inject;
import jakarta.ws.rs.ClientErrorException;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.FormParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.container.AsyncResponse;
import jakarta.ws.rs.container.Suspended;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.StreamingOutput;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.glassfish.jersey.media.multipart.FormDataParam;
import org.glassfish.jersey.server.ChunkedOutput;

@Path("/orders")
@Produces(MediaType.APPLICATION_JSON)
public class OrderResource {

  @Inject private Shop shop;

  /** As JSON-B likes it. */
  public static class Order {
    public String item;
    public int quantity;
  }

  private Shop.Receipt place(Order order) {
    return shop.place(order.item, order.quantity);
  }

  @POST
  @Consumes(MediaType.APPLICATION_JSON)
  public Response create(Order order) {
    Shop.Receipt receipt = place(order);
    return Response.created(URI.create("orders/" + receipt.id()))
        .tag(receipt.id())
        .entity(receipt)
        .build();
  }

  @POST
  @Path("/form")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  public Shop.Receipt form(
      @FormParam("item") String item,
      @FormParam("quantity") @DefaultValue("0") int sent,
      @QueryParam("quantity") @DefaultValue("0") int asked) {
    return shop.place(item, sent + asked);
  }

  @POST
  @Path("/fields")
  @Consumes(MediaType.APPLICATION_FORM_URLENCODED)
  public Shop.Receipt fields(@FormParam("item") List<String> items) {
    return shop.place(String.join("+", items), 1);
  }

  @POST
  @Path("/files")
  @Consumes(MediaType.MULTIPART_FORM_DATA)
  public Shop.Receipt files(
      @FormDataParam("item") String item, @FormDataParam("list") byte[] list) {
    return shop.place(item, list.length);
  }

  @POST
  @Path("/later")
  public void later(Order order, @Suspended AsyncResponse response) {
    new Thread(
            () -> {
              try {
                response.resume(place(order));
              } catch (RuntimeException e) {
                response.resume(e);
              }
            })
        .start();
  }

  @POST
  @Path("/never")
  public void never(Order order, @Suspended AsyncResponse response) {
    response.setTimeout(50, TimeUnit.MILLISECONDS);
    place(order);
  }

  @POST
  @Path("/future")
  public CompletionStage<Shop.Receipt> future(Order order) {
    return CompletableFuture.supplyAsync(() -> place(order));
  }

  @POST
  @Path("/stream")
  @Produces(MediaType.TEXT_PLAIN)
  public StreamingOutput stream(Order order) {
    Shop.Receipt receipt = place(order);
    return out -> {
      for (int line = 0; line < 1000; line++) {
        out.write("x".repeat(120).getBytes(StandardCharsets.US_ASCII));
        out.flush();
      }
      if (order.item.startsWith("broken")) {
        throw new IOException("made up");
      }
      out.write(("\n" + receipt.id() + "\nend\n").getBytes(StandardCharsets.US_ASCII));
    };
  }

  @POST
  @Path("/chunks")
  @Produces(MediaType.TEXT_PLAIN)
  public ChunkedOutput<String> chunks(Order order) {
    ChunkedOutput<String> output = new ChunkedOutput<>(String.class, "\n");
    new Thread(
            () -> {
              try (output) {
                output.write("placed");
                output.write(place(order).id());
              } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
              }
            })
        .start();
    return output;
  }

  @POST
  @Path("/conflict")
  public Response conflict(Order order) {
    place(order);
    throw new ClientErrorException("ordered already", Response.Status.CONFLICT);
  }

  @POST
  @Path("/redirect")
  public Response redirect(Order order) {
    return Response.seeOther(URI.create("thanks/" + place(order).id())).build();
  }
}
