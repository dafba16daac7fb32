-- The event log: the truth. Written by command-api only.
-- Ids are ASCII; those that clients choose have a binary collation, others would ignore case.

CREATE TABLE events (
    -- 1, 2, 3, ... in commit order, without a gap.
    position       BIGINT UNSIGNED NOT NULL,
    -- From here to metadata: mysql-es's table. It reads text with sqlx, which takes columns of a
    -- binary collation for bytes, hence ascii_general_ci; all ids are written in lower case.
    aggregate_type VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    aggregate_id   CHAR(36)     CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    sequence       BIGINT       NOT NULL,
    event_type     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    event_version  VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    payload        JSON         NOT NULL,
    metadata       JSON         NOT NULL,
    recorded_at    DATETIME(6)  NOT NULL,
    PRIMARY KEY (position),
    UNIQUE KEY events_by_aggregate (aggregate_type, aggregate_id, sequence)
);

-- One row. Whoever holds its lock is the only writer of the log.
CREATE TABLE event_log_head (
    id       TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    position BIGINT UNSIGNED  NOT NULL,
    CHECK (id = 1)
);
INSERT INTO event_log_head (id, position) VALUES (1, 0);

-- Titles (by their key) that listed movies hold, and every slug ever given.
CREATE TABLE movie_claims (
    kind        VARCHAR(5)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    claim_value VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    movie_id    CHAR(36)     CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    PRIMARY KEY (kind, claim_value),
    CHECK (kind IN ('TITLE', 'SLUG'))
);

-- What was answered to a command that carried an Idempotency-Key.
CREATE TABLE command_receipts (
    caller          CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    request_sha256  BINARY(32)   NOT NULL,
    status          SMALLINT UNSIGNED NOT NULL,
    -- Not JSON: the answer is repeated byte for byte.
    response        MEDIUMTEXT   CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    recorded_at     DATETIME(6)  NOT NULL,
    PRIMARY KEY (caller, idempotency_key),
    KEY command_receipts_by_age (recorded_at)
);

-- Which command-api publishes to Kafka. The epoch fences: it rises with every change of holder.
CREATE TABLE relay_lease (
    id         TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    holder     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch      BIGINT UNSIGNED  NOT NULL,
    expires_at DATETIME(6)      NOT NULL,
    -- Where at-least-once mode keeps its cursor; with transactions it is in Kafka.
    position   BIGINT UNSIGNED  NOT NULL,
    CHECK (id = 1)
);
INSERT INTO relay_lease (id, holder, epoch, expires_at, position)
VALUES (1, '', 0, '2000-01-01 00:00:00.000000', 0);
