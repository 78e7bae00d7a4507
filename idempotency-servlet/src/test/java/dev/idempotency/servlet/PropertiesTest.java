package dev.idempotency.servlet;

import static org.assertj.core.api.Assertions.assertThat;

import dev.idempotency.MemoryBudget;
import dev.idempotency.store.IdempotencyKey;
import dev.idempotency.store.Outcome;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What holds for every input, tried with many random ones. A test's parameter is the seed of its
 * inputs, so a failure names them.
 */
class PropertiesTest {

  private static final int TRIES = 2_000;

  static LongStream seeds() {
    return LongStream.rangeClosed(1, 5);
  }

  // Keys

  /** What a header with this value says. */
  static KeyHeader.Reading read(String value) {
    HttpServletRequest request =
        new HttpServletRequestWrapper(UnprotectedRequestTest.nothing(HttpServletRequest.class)) {
          @Override
          public String getHeader(String name) {
            return value;
          }

          @Override
          public Enumeration<String> getHeaders(String name) {
            return Collections.enumeration(List.of(value));
          }
        };
    return new KeyHeader(List.of("Idempotency-Key"), false).read(request);
  }

  private static String text(Random random, int most, int from, int to) {
    int length = random.nextInt(most + 1);
    return IntStream.range(0, length)
        .map(i -> random.nextInt(from, to))
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  private static String quoted(String key) {
    return '"' + key.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void everyKeyOfVisibleAsciiCanBeQuotedAndMeansItselfBare(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < TRIES; i++) {
      String key = text(random, 254, 0x21, 0x7F) + "k";
      String blanks = text(random, 3, 0x20, 0x21) + text(random, 2, 0x09, 0x0A);
      KeyHeader.Reading present = new KeyHeader.Reading.Present(key);

      assertThat(read(blanks + quoted(key) + blanks)).isEqualTo(present);
      if (!key.matches(".*[\",;\\\\].*")) {
        assertThat(read(blanks + key + blanks)).isEqualTo(present);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void everyOtherValueIsRefusedAndNoneIsReadAsAnotherKey(long seed) {
    Random random = new Random(seed);
    int present = 0;
    for (int i = 0; i < TRIES; i++) {
      String value =
          switch (random.nextInt(3)) {
            case 0 -> text(random, 8, 0, 0x300);
            case 1 -> text(random, 6, 0x1C, 0x7F);
            default -> '"' + text(random, 3, 0x1F, 0x24) + text(random, 2, 0x5B, 0x5E) + '"';
          };
      if (read(value) instanceof KeyHeader.Reading.Present read) {
        present++;
        assertThat(read.key()).matches("[\\x21-\\x7E]{1," + IdempotencyKey.MAX_LENGTH + "}");
        String bare = value.replaceAll("^[ \t]+|[ \t]+$", "");
        assertThat(bare).isIn(read.key(), quoted(read.key()));
      }
    }
    assertThat(present).as("keys among %s values", TRIES).isBetween(50, TRIES - 50);
  }

  // Stored responses

  private static RecordedResponse response(Random random) {
    RecordedResponse response = RecordedResponse.of(random.nextInt(200, 600));
    for (int count = random.nextInt(5); count > 0; count--) {
      response =
          response.header(
              "X" + text(random, 10, 'a', 'z'),
              text(random, 30, 0x20, 0x7F) + text(random, 3, 0xA0, 0x100));
    }
    byte[] body = new byte[random.nextInt(100)];
    random.nextBytes(body);
    return response.body(body);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void everyResponseIsReadAsItWasWritten(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < TRIES; i++) {
      RecordedResponse written = response(random);
      RecordedResponse read = ResponseCodec.decode(written.toOutcome());
      assertThat(read.status()).isEqualTo(written.status());
      assertThat(read.headers()).isEqualTo(written.headers());
      assertThat(read.bodyBytes()).isEqualTo(written.bodyBytes());
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void bytesThatAreReadAreThoseThatWouldBeWritten(long seed) {
    Random random = new Random(seed);
    int read = 0;
    for (int i = 0; i < 5 * TRIES; i++) {
      byte[] bytes = damaged(random);
      try {
        RecordedResponse response = ResponseCodec.decode(Outcome.of("http/1", bytes));
        assertThat(response.toOutcome().toBytes()).isEqualTo(bytes);
        read++;
      } catch (CorruptRecordException expected) {
        assertThat(expected).hasMessageContaining("stored response");
      }
    }
    assertThat(read).isBetween(TRIES / 10, 4 * TRIES);
  }

  private static byte[] damaged(Random random) {
    byte[] good = response(random).toOutcome().toBytes();
    int at = random.nextInt(good.length);
    switch (random.nextInt(4)) {
      case 0 -> good[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> good[at] = (byte) random.nextInt();
      case 2 -> good = Arrays.copyOf(good, random.nextInt(2 * good.length));
      default -> random.nextBytes(good);
    }
    return good;
  }

  // Bodies

  /** Gives its bytes in pieces, as a network does. */
  private static final class Pieces extends ServletInputStream {
    private final InputStream in;
    private final Random random;

    Pieces(byte[] body, Random random) {
      this.in = new ByteArrayInputStream(body);
      this.random = random;
    }

    @Override
    public int read() throws java.io.IOException {
      return in.read();
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws java.io.IOException {
      return in.read(bytes, offset, length == 0 ? 0 : random.nextInt(1, length + 1));
    }

    @Override
    public boolean isFinished() {
      return false;
    }

    @Override
    public boolean isReady() {
      return true;
    }

    @Override
    public void setReadListener(ReadListener listener) {
      throw new UnsupportedOperationException();
    }
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void aBodyIsReadWholeOrRefusedAndHandedOutAsItWas(long seed) throws Exception {
    Random random = new Random(seed);
    MemoryBudget budget = MemoryBudget.of(1024 * 1024);
    long most = budget.largest(MemoryBudget.Kind.REQUESTS);
    for (int i = 0; i < TRIES / 4; i++) {
      byte[] body = new byte[random.nextInt(300_000)];
      random.nextBytes(body);
      int cap = random.nextBoolean() ? random.nextInt(360_000) : body.length;
      boolean announced = random.nextBoolean();
      HttpServletRequest request = request(body, announced, random);
      RequestMemory memory = new RequestMemory(budget, "");

      RequestBody.Reading reading = RequestBody.read(request, cap, memory);

      assertThat(budget.held()).isBetween(0L, most);
      if (reading instanceof RequestBody.Reading.Whole whole) {
        assertThat(whole.bytes()).isEqualTo(body);
        assertThat(handedOut(request, memory, whole.bytes(), random)).isEqualTo(body);
        assertThat((long) body.length).isLessThanOrEqualTo(Math.min(cap, most));
        assertThat(budget.held()).isEqualTo(body.length);
      } else if (reading instanceof RequestBody.Reading.TooLarge) {
        assertThat(body.length).isGreaterThan(cap);
      } else {
        assertThat(reading).isEqualTo(new RequestBody.Reading.NoRoom());
        // Both its pieces and the whole of it must find room.
        assertThat(2L * (Math.min(cap, body.length) + 64 * 1024)).isGreaterThan(most);
      }
      memory.end();
      assertThat(budget.held()).isZero();
    }
  }

  private static HttpServletRequest request(byte[] body, boolean announced, Random random) {
    return new HttpServletRequestWrapper(UnprotectedRequestTest.nothing(HttpServletRequest.class)) {
      @Override
      public long getContentLengthLong() {
        return announced ? body.length : -1;
      }

      @Override
      public String getHeader(String name) {
        return null;
      }

      @Override
      public ServletInputStream getInputStream() {
        return new Pieces(body, random);
      }
    };
  }

  private static byte[] handedOut(
      HttpServletRequest request, RequestMemory memory, byte[] bytes, Random random)
      throws Exception {
    ServletInputStream in = new BufferedRequest(request, null, memory, bytes).getInputStream();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    byte[] chunk = new byte[random.nextInt(1, 20_000)];
    while (!in.isFinished()) {
      if (random.nextInt(4) == 0) {
        out.write(in.read());
      } else {
        out.write(chunk, 0, in.read(chunk));
      }
    }
    assertThat(in.read()).isEqualTo(-1);
    return out.toByteArray();
  }
}
