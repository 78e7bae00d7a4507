package dev.idempotency.testing;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import io.zonky.test.db.postgres.util.LinuxUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import javax.sql.DataSource;
import org.junit.jupiter.api.Assumptions;

/** A real PostgreSQL server in a process of its own, on a loopback port. */
public final class PostgresProcess implements AutoCloseable {

  private final EmbeddedPostgres server;

  private PostgresProcess(EmbeddedPostgres server) {
    this.server = server;
  }

  /**
   * Starts a server with an empty database. Skips the test where PostgreSQL refuses to run: as root
   * on a machine without user namespaces.
   */
  public static PostgresProcess start() {
    Assumptions.assumeTrue(
        !System.getProperty("user.name").equals("root") || LinuxUtils.isUnshareAvailable(),
        "PostgreSQL refuses to run as root, and there is no `unshare -U` to drop it");
    try {
      return new PostgresProcess(
          EmbeddedPostgres.builder().setServerConfig("fsync", "off").start());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Opens new connections, without a pool, as the superuser. */
  public DataSource dataSource() {
    return server.getPostgresDatabase();
  }

  /** The JDBC URL of the empty database, with its user. */
  public String jdbcUrl() {
    return server.getJdbcUrl("postgres", "postgres");
  }

  @Override
  public void close() {
    try {
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
