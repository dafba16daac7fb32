-- Copies of parked records on their way to the topic of dead letters: written in the transaction
-- that parks a record, deleted once Kafka has acknowledged the copy. A table of its own, so that a
-- record is copied although it was retried or discarded in the meantime.
CREATE TABLE dead_letter_outbox (
    id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    projection      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    topic           VARCHAR(128) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    kafka_partition INT          NOT NULL,
    kafka_offset    BIGINT       NOT NULL,
    record_key      MEDIUMBLOB   NULL,
    headers         JSON         NOT NULL,
    payload         LONGBLOB     NULL,
    error           TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    parked_at       DATETIME(6)  NOT NULL
);
INSERT INTO dead_letter_outbox (projection, topic, kafka_partition, kafka_offset, record_key,
    headers, payload, error, parked_at)
SELECT projection, topic, kafka_partition, kafka_offset, record_key, headers, payload, error,
    parked_at
FROM parked_events;

INSERT INTO leases (task, holder, epoch, expires_at)
VALUES ('dead-letters', '', 0, '2000-01-01 00:00:00.000000');

-- Since when each movie lags, without a look at its records.
ALTER TABLE parked_events
    ADD KEY parked_events_by_staleness (projection, topic, movie_id, parked_at);
