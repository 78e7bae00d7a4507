-- One row for each executed key. recorded_at: milliseconds since 1970-01-01T00:00Z.
-- The engine is named because the guard needs transactions.
CREATE TABLE IF NOT EXISTS ${table} (
  key_digest      BINARY(32)  NOT NULL PRIMARY KEY,
  fence           BIGINT      NOT NULL,
  fingerprint     BINARY(56)  NOT NULL,
  outcome_format  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tombstone       BOOLEAN     NOT NULL,
  outcome         LONGBLOB    NOT NULL,
  recorded_at     BIGINT      NOT NULL,
  scope_tag       BINARY(16)  NOT NULL,
  INDEX ${index} (recorded_at)
) ENGINE = InnoDB;
