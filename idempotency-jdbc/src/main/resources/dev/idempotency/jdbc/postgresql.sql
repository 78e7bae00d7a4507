-- One row for each executed key. recorded_at: milliseconds since 1970-01-01T00:00Z.
CREATE TABLE IF NOT EXISTS ${table} (
  key_digest      BYTEA       NOT NULL PRIMARY KEY,
  fence           BIGINT      NOT NULL,
  fingerprint     BYTEA       NOT NULL,
  outcome_format  VARCHAR(64) NOT NULL,
  tombstone       BOOLEAN     NOT NULL,
  outcome         BYTEA       NOT NULL,
  recorded_at     BIGINT      NOT NULL,
  scope_tag       BYTEA       NOT NULL
);
CREATE INDEX IF NOT EXISTS ${index} ON ${table} (recorded_at);
