-- Data model: ViewingSession. What a session's events (marquee.viewing-sessions.v1) add up to.
CREATE TABLE viewing_sessions (
    session_id         CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    -- These are unknown only while a session's later events have come before its first.
    movie_id           CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    device_type        VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    started_at         DATETIME(6)  NULL,
    -- One of them; neither once the session was made anonymous. This is the one table that says who
    -- watched what. An anonymous viewer's id is a keyed hash: with the id itself one could act as them.
    viewer_id          CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    anonymous_id       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- stream_token_audit has what is known of it.
    token_id           CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NULL,
    ended_at           DATETIME(6)  NULL,
    end_reason         VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    completion_percent TINYINT UNSIGNED NOT NULL,
    watched_seconds    INT UNSIGNED NOT NULL,
    player_errors      JSON         NOT NULL,
    has_errors         BOOLEAN      NOT NULL,
    player_state       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NULL,
    last_seen_at       DATETIME(6)  NULL,
    -- NULL when it has ended.
    times_out_at       DATETIME(6)  NULL,
    -- By which its last event came. Its owner looks for those that time out.
    kafka_partition    INT          NOT NULL,
    -- What the next event is added to.
    fold               JSON         NOT NULL,
    KEY viewing_sessions_by_time_out (kafka_partition, times_out_at),
    -- For triage.
    KEY viewing_sessions_by_start (started_at, session_id),
    KEY viewing_sessions_by_movie (movie_id, started_at, session_id),
    KEY viewing_sessions_by_errors (has_errors, started_at, session_id),
    KEY viewing_sessions_by_movie_and_errors (movie_id, has_errors, started_at, session_id),
    KEY viewing_sessions_by_token (token_id),
    -- For making sessions anonymous.
    KEY viewing_sessions_by_viewer (viewer_id),
    KEY viewing_sessions_by_anonymous_viewer (anonymous_id)
);
