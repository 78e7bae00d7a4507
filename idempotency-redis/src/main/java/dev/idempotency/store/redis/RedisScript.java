package dev.idempotency.store.redis;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import redis.clients.jedis.AbstractPipeline;
import redis.clients.jedis.Response;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.exceptions.JedisNoScriptException;

/**
 * A Lua script from this package's resources, called by its digest. Immutable and thread-safe.
 *
 * @param source the script
 * @param sha1 its digest in hex, as EVALSHA wants it
 */
record RedisScript(byte[] source, byte[] sha1) {

  static final RedisScript CONTEND = load("contend.lua");
  static final RedisScript COMPLETE = load("complete.lua");
  static final RedisScript RELEASE = load("release.lua");
  static final RedisScript ERASE = load("erase.lua");
  static final RedisScript TOUCH = load("touch.lua");

  private static RedisScript load(String name) {
    try (InputStream in = RedisScript.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("resource is missing from the jar: " + name);
      }
      byte[] source = in.readAllBytes();
      String sha1 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(source));
      return new RedisScript(source, sha1.getBytes(UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java platform has no SHA-1", e);
    }
  }

  /** Runs on one key. A server that forgot the script (SCRIPT FLUSH, restart) gets it again. */
  Object run(UnifiedJedis jedis, byte[] key, byte[]... arguments) {
    return run(jedis, List.of(key), arguments);
  }

  /** Runs on several keys, which on Cluster must be in one slot. */
  Object run(UnifiedJedis jedis, List<byte[]> keys, byte[]... arguments) {
    List<byte[]> args = List.of(arguments);
    try {
      return jedis.evalsha(sha1, keys, args);
    } catch (JedisNoScriptException e) {
      return jedis.eval(source, keys, args);
    }
  }

  /** Puts a call by digest into a pipeline. */
  Response<Object> send(AbstractPipeline pipeline, byte[] key, byte[]... arguments) {
    return send(pipeline, List.of(key), arguments);
  }

  Response<Object> send(AbstractPipeline pipeline, List<byte[]> keys, byte[]... arguments) {
    return pipeline.evalsha(sha1, keys, List.of(arguments));
  }

  /** Puts a call with the whole source into a pipeline. */
  Response<Object> sendSource(AbstractPipeline pipeline, byte[] key, byte[]... arguments) {
    return sendSource(pipeline, List.of(key), arguments);
  }

  Response<Object> sendSource(AbstractPipeline pipeline, List<byte[]> keys, byte[]... arguments) {
    return pipeline.eval(source, keys, List.of(arguments));
  }
}
