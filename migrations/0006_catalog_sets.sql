-- The catalog's tables (catalog_movies, catalog_genres, catalog_stream_sources,
-- catalog_caption_tracks, movie_history and this one) are a set. `projector rebuild catalog` fills a
-- second one beside it, named *_rebuild, and then renames both, all tables in one statement; the one
-- that was replaced is *_previous. This row tells of the set that it is part of, and is renamed with it.
CREATE TABLE catalog_contents (
    id         TINYINT UNSIGNED NOT NULL PRIMARY KEY,
    -- The set has every event up to here, but for those of the movies in `broken`. Not kept up in the
    -- set that is in use: there projection_checkpoints tell.
    position   BIGINT UNSIGNED NOT NULL,
    -- Where the event log ended when it was last looked at.
    log_head   BIGINT UNSIGNED NOT NULL,
    -- Of the lease 'catalog-rebuild': whoever has the latest may write a set that is not in use.
    epoch      BIGINT UNSIGNED NOT NULL,
    -- Movies whose events can't be applied, and why: they stay at their last good version.
    broken     JSON            NOT NULL,
    begun_at   DATETIME(6)     NOT NULL,
    updated_at DATETIME(6)     NOT NULL
);
INSERT INTO catalog_contents (id, position, log_head, epoch, broken, begun_at, updated_at)
VALUES (1, 0, 0, 0, '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

INSERT INTO leases (task, holder, epoch, expires_at)
VALUES ('catalog-rebuild', '', 0, '2000-01-01 00:00:00.000000');
