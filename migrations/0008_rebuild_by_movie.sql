-- A set of tables is filled movie by movie at first, up to where the log ended (log_head) when that began:
-- then `position` is how many events it has, and these name the last of them. NULL when that is over, and
-- the set goes on by position.
ALTER TABLE catalog_contents
    ADD COLUMN by_movie_id       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ADD COLUMN by_movie_sequence BIGINT UNSIGNED NULL;
