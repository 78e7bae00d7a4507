package dev.idempotency.example.transfer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * The JSON of the HTTP interface. Reading is strict: what is not exactly a transfer order is
 * refused with {@link TransferException.Reason#INVALID}. Thread-safe.
 */
final class JsonFormat {

  private static final Set<String> ORDER_FIELDS = Set.of("from", "to", "amount", "currency");

  private final ObjectMapper mapper =
      new ObjectMapper(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(8)
                          .maxNumberLength(32)
                          .maxStringLength(1024)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  TransferOrder readOrder(byte[] body) {
    JsonNode order = parse(body);
    if (!order.isObject()) {
      throw TransferException.invalid("the body must be a JSON object");
    }
    Set<String> unknown = new TreeSet<>();
    order.fieldNames().forEachRemaining(unknown::add);
    unknown.removeAll(ORDER_FIELDS);
    if (!unknown.isEmpty()) {
      throw TransferException.invalid(
          "the body has "
              + unknown.size()
              + " unknown field(s); known are 'from', 'to', 'amount'"
              + " and 'currency'");
    }
    return new TransferOrder(
        text(order, "from"), text(order, "to"), amount(order), text(order, "currency"));
  }

  private JsonNode parse(byte[] body) {
    try {
      return mapper.readTree(body);
    } catch (JsonProcessingException e) {
      throw new TransferException(
          TransferException.Reason.INVALID, "the body is not valid JSON, or has a field twice", e);
    } catch (IOException e) {
      throw new TransferException(
          TransferException.Reason.INVALID, "the body is not valid UTF-8", e);
    }
  }

  private static String text(JsonNode order, String field) {
    JsonNode value = order.path(field);
    if (!value.isTextual()) {
      throw TransferException.invalid("'" + field + "' is required, and must be a string");
    }
    return value.textValue();
  }

  private static long amount(JsonNode order) {
    JsonNode value = order.path("amount");
    if (!value.isIntegralNumber() || !value.canConvertToLong()) {
      throw TransferException.invalid(
          "'amount' is required, and must be an integer number of minor units up to "
              + Long.MAX_VALUE);
    }
    return value.longValue();
  }

  byte[] write(Transfer transfer) {
    return bytes(node(transfer));
  }

  byte[] write(List<Transfer> transfers) {
    ObjectNode root = mapper.createObjectNode();
    ArrayNode list = root.putArray("transfers");
    transfers.forEach(transfer -> list.add(node(transfer)));
    return bytes(root);
  }

  byte[] write(Account account) {
    return bytes(
        mapper
            .createObjectNode()
            .put("id", account.id())
            .put("balance", account.balance())
            .put("currency", account.currency()));
  }

  byte[] writeStatus(String status) {
    return bytes(mapper.createObjectNode().put("status", status));
  }

  byte[] write(Problem problem) {
    ObjectNode node =
        mapper
            .createObjectNode()
            .put("type", problem.type())
            .put("title", problem.title())
            .put("status", problem.status());
    return bytes(problem.detail().isEmpty() ? node : node.put("detail", problem.detail()));
  }

  private ObjectNode node(Transfer transfer) {
    return mapper
        .createObjectNode()
        .put("id", transfer.id().toString())
        .put("from", transfer.order().from())
        .put("to", transfer.order().to())
        .put("amount", transfer.order().amount())
        .put("currency", transfer.order().currency())
        .put("createdAt", transfer.createdAt().toString());
  }

  private byte[] bytes(JsonNode node) {
    try {
      return mapper.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of plain values is always JSON", e);
    }
  }
}
