-- Which process does what only one should do at a time, a row for each such task. The epoch rises
-- with every change of holder. relay_lease (0001) is older, and keeps a cursor too.
CREATE TABLE leases (
    task       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    holder     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    epoch      BIGINT UNSIGNED NOT NULL,
    expires_at DATETIME(6)  NOT NULL
);
INSERT INTO leases (task, holder, epoch, expires_at)
VALUES ('catalog-topic', '', 0, '2000-01-01 00:00:00.000000');
