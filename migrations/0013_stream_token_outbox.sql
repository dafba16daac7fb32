-- Audit records of stream tokens that were issued while Kafka was away: here before their viewer had
-- the token, deleted once Kafka has acknowledged them.
CREATE TABLE stream_token_outbox (
    token_id       CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    movie_id       CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    viewer_context CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    issued_at      DATETIME(6) NOT NULL,
    -- The event as it is to be in Kafka. Not JSON: it stays byte for byte what it is.
    payload        BLOB        NOT NULL
);

INSERT INTO leases (task, holder, epoch, expires_at)
VALUES ('stream-token-outbox', '', 0, '2000-01-01 00:00:00.000000');
