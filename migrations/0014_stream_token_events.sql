-- What happens to stream tokens besides their issue (marquee.stream-tokens.v1).

-- The token that this one took the place of; NULL for the first of a viewer and movie.
ALTER TABLE stream_token_audit
    ADD COLUMN renews CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL;

-- The default is for query-apis of before this column, which issue only.
ALTER TABLE stream_token_outbox
    ADD COLUMN event_type VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
        DEFAULT 'marquee.stream-token.StreamTokenIssued.v1';

-- Tokens that were refused before they expired. Rows of their own, and no columns of stream_token_audit: what is
-- in there is never changed.
CREATE TABLE stream_token_revocations (
    token_id       CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    movie_id       CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    viewer_context CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason         VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- When it was first refused.
    revoked_at     DATETIME(6) NOT NULL,
    PRIMARY KEY (token_id, movie_id),
    KEY stream_token_revocations_by_viewer (viewer_context, revoked_at),
    KEY stream_token_revocations_by_movie (movie_id, revoked_at)
);

-- Viewers who asked for a movie that was there and could not be played.
CREATE TABLE stream_token_denials (
    denial_id      CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    movie_id       CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    viewer_context CHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason         VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    denied_at      DATETIME(6) NOT NULL,
    KEY stream_token_denials_by_viewer (viewer_context, denied_at),
    KEY stream_token_denials_by_movie (movie_id, denied_at)
);
