package dev.idempotency.store.redis;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.idempotency.store.redis.RedisAddress.Credentials;
import dev.idempotency.store.redis.RedisAddress.Kind;
import dev.idempotency.store.redis.RedisAddress.Node;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class RedisAddressTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          redis://h1:6379,h2:6379            | names several nodes
          redis://h:6379?timeout=3s          | has a query
          redis-sentinel://h:1/p?timeout=3s  | has a query
          redis-sentinel://h:1/p?sentinelUser=a | without sentinelPassword
          redis-sentinel://h:1/p?sentinelPassword= | has a query
          redis://h:6379/abc                 | has a database that is not a number
          redis://h:6379/1/2                 | has a path of too many parts
          redis-cluster://h:6379/1           | one database only
          redis://name@h:6379                | has a user without a password
          redis://name:@h:6379               | has an empty password
          redis://@h:6379                    | has a user without a password
          redis://h:6379#1                   | has a fragment
          redis://h                          | not host:port
          redis://h:0                        | not host:port
          redis://h:65536                    | not host:port
          redis://h:6379,                    | not host:port
          redis://                           | has no host
          redis://:a b@h:1                   | percent-encodes
          redis://:a%zz@h:1                  | percent-encodes
          redis:h:6379                       | is not a URI with a scheme
          http://h:80                        | has scheme 'http'
          unix:///run/redis.sock             | give client(...) a Jedis client
          redis+unix:///run/redis.sock?db=1  | give client(...) a Jedis client
          redis-socket:///run/redis.sock     | give client(...) a Jedis client
          redis-sentinel://h:26379           | needs the primary's name
          redis-sentinel://h:26379/          | needs the primary's name
          """)
  void whatIsNotUnderstoodIsRefused(String address, String why) {
    assertThatThrownBy(() -> RedisAddress.parse(address))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(why)
        .hasMessageContaining("use redis://");
  }

  /** A pattern that repeats a choice ended the stack of whoever read it. */
  @Test
  void aLongAddressEndsNoStack() {
    String nodes = "%6e:1,".repeat(20_000) + "n:1";

    assertThatThrownBy(() -> RedisAddress.parse("redis-cluster://" + nodes))
        .hasMessageContaining("not host:port");
    assertThat(RedisAddress.parse("redis-cluster://:%41" + "a%41".repeat(20_000) + "@n:1").nodes())
        .containsExactly(new Node("n", 1));
  }

  @Test
  void everyPartIsRead() {
    RedisAddress sentinel =
        RedisAddress.parse(
            "rediss-sentinel://app:p%2Fw%40d@a:1,[::1]:2/main/3?sentinelUser=s&sentinelPassword=%23");

    assertThat(sentinel.kind()).isEqualTo(Kind.SENTINEL);
    assertThat(sentinel.tls()).isTrue();
    assertThat(sentinel.nodes()).containsExactly(new Node("a", 1), new Node("::1", 2));
    assertThat(sentinel.credentials()).contains(new Credentials("app", "p/w@d"));
    assertThat(sentinel.sentinelCredentials()).contains(new Credentials("s", "#"));
    assertThat(sentinel.primaryName()).isEqualTo("main");
    assertThat(sentinel.database()).isEqualTo(3);
    assertThat(RedisAddress.parse("redis-cluster://:pw@a:1,b:2").nodes())
        .isEqualTo(Set.of(new Node("a", 1), new Node("b", 2)));
    assertThat(RedisAddress.parse("rediss-cluster://a:1").tls()).isTrue();
    assertThat(RedisAddress.parse("redis://:pw@a:1/5").credentials())
        .contains(new Credentials(null, "pw"));
    assertThat(RedisAddress.parse("redis://a:1/").database()).isZero();
  }

  static Stream<String> printable() {
    return IntStream.rangeClosed(' ', '~').mapToObj(c -> String.valueOf((char) c));
  }

  @ParameterizedTest
  @MethodSource("printable")
  void noMessageShowsAPartOfTheUserPathOrQuery(String character) {
    String secret = "Zq" + character + "8Zq";
    for (String address :
        new String[] {
          "redis://user:%s@host:6379",
          "redis://:%s@host:6379",
          "redis://%s@host:6379",
          "redis://%s:pw@host:6379",
          "redis://host:6379/%s",
          "redis://host:6379?%s",
          "redis://host:6379#%s",
          "redis-sentinel://host:1/name?sentinelPassword=%s",
          "redis-sentinel://host:1/a/%s",
          "redis-cluster://user:%s@a:1,b:2",
          "%s",
          "user:%s@host:6379"
        }) {
      String text = address.replace("%s", secret);
      try {
        assertThat(RedisAddress.parse(text).toString()).doesNotContain("Zq", "8Zq");
      } catch (IllegalArgumentException e) {
        assertThat(e.getMessage()).as(text).doesNotContain("Zq");
        assertThat(e.getCause()).isNull();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("printable")
  void everyPrintablePasswordIsReadWhenItIsPercentEncoded(String character) {
    String encoded = "%%%02X".formatted((int) character.charAt(0));

    assertThat(RedisAddress.parse("redis://u:a" + encoded + "b@h:1").credentials())
        .contains(new Credentials("u", "a" + character + "b"));
  }
}
