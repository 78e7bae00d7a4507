package dev.idempotency.grpc;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import dev.idempotency.store.Outcome;
import io.grpc.Metadata;
import io.grpc.Status;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes and reads outcomes of the format {@value #FORMAT}. Lengths and counts are varints, and no
 * length beyond the bytes that are there is believed:
 *
 * <pre>
 * status code, description?, headers?, trailers, messages
 * x? = 0 | 1 x      text, bytes = length, bytes
 * metadata = count, (name, value)*               messages = count, bytes*
 * </pre>
 */
record AnswerCodec(ReplayableMetadata replayable) {

  static final String FORMAT = "grpc/1";

  /** HTTP/2 stacks refuse far smaller header blocks; a larger count is damage. */
  private static final int MAX_ENTRIES = 1024;

  /** Says that the call ran, without its result. */
  static Outcome tombstone() {
    return Outcome.tombstone(FORMAT, new byte[0]);
  }

  /** The outcome; a tombstone for one of which messages were dropped. */
  Outcome encode(RecordedAnswer answer) {
    if (answer.truncated()) {
      return tombstone();
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream output = CodedOutputStream.newInstance(bytes);
    try {
      output.writeUInt32NoTag(answer.status().getCode().value());
      Optional<String> description = Optional.ofNullable(answer.status().getDescription());
      output.writeBoolNoTag(description.isPresent());
      if (description.isPresent()) {
        output.writeStringNoTag(description.get());
      }
      output.writeBoolNoTag(answer.headers().isPresent());
      if (answer.headers().isPresent()) {
        write(output, answer.headers().get());
      }
      write(output, answer.trailers());
      output.writeUInt32NoTag(answer.messages().size());
      for (byte[] message : answer.messages()) {
        output.writeByteArrayNoTag(message);
      }
      output.flush();
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory failed", e);
    }
    return Outcome.wrap(FORMAT, bytes.toByteArray());
  }

  private void write(CodedOutputStream output, Metadata metadata) throws IOException {
    List<Map.Entry<String, byte[]>> entries = replayable.entriesOf(metadata);
    output.writeUInt32NoTag(entries.size());
    for (Map.Entry<String, byte[]> entry : entries) {
      output.writeStringNoTag(entry.getKey());
      output.writeByteArrayNoTag(entry.getValue());
    }
  }

  /** Reads an outcome; empty if it is damaged, or of another format. */
  static Optional<RecordedAnswer> decode(Outcome outcome) {
    if (!outcome.format().equals(FORMAT)) {
      return Optional.empty();
    }
    try {
      CodedInputStream input = CodedInputStream.newInstance(outcome.asReadOnlyBuffer());
      int code = input.readUInt32();
      Status status = Status.fromCodeValue(code);
      if (status.getCode().value() != code) {
        return Optional.empty();
      }
      if (input.readBool()) {
        status = status.withDescription(input.readStringRequireUtf8());
      }
      Optional<Metadata> headers =
          input.readBool() ? Optional.of(readMetadata(input)) : Optional.empty();
      Metadata trailers = readMetadata(input);
      List<byte[]> messages = readMessages(input);
      return input.isAtEnd()
          ? Optional.of(new RecordedAnswer(status, trailers, headers, messages, false))
          : Optional.empty();
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  private static List<byte[]> readMessages(CodedInputStream input) throws IOException {
    int count = input.readUInt32();
    if (count < 0 || count > RecordedMessages.MAX_MESSAGES) {
      throw new IOException("an answer of " + count + " messages");
    }
    List<byte[]> messages = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      messages.add(input.readByteArray());
    }
    return messages;
  }

  private static Metadata readMetadata(CodedInputStream input) throws IOException {
    int count = input.readUInt32();
    if (count < 0 || count > MAX_ENTRIES) {
      throw new IOException("metadata of " + count + " entries");
    }
    Metadata metadata = new Metadata();
    for (int i = 0; i < count; i++) {
      String name = input.readStringRequireUtf8();
      byte[] value = input.readByteArray();
      if (name.endsWith(Metadata.BINARY_HEADER_SUFFIX)) {
        metadata.put(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER), value);
      } else {
        metadata.put(
            Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), new String(value, US_ASCII));
      }
    }
    return metadata;
  }
}
