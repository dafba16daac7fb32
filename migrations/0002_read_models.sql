-- What the projector writes and the query API reads. All of it can be rebuilt from the log,
-- but for stream_token_audit, which is a record of its own.

CREATE TABLE catalog_movies (
    movie_id           CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    title              VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    slug               VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    synopsis           TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    genres             JSON         NOT NULL,
    duration_minutes   INT UNSIGNED NOT NULL,
    availability_start DATETIME(6)  NOT NULL,
    availability_end   DATETIME(6)  NOT NULL,
    visibility         VARCHAR(7)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    poster_url         TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_at         DATETIME(6)  NOT NULL,
    created_by         CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    updated_at         DATETIME(6)  NOT NULL,
    updated_by         CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- A removed movie's row stays, so that readers that follow by position learn of it.
    removed            BOOLEAN      NOT NULL,
    -- The sequence of the last event applied.
    version            BIGINT UNSIGNED NOT NULL,
    -- The position of the last event applied, and the Kafka partition it came by.
    position           BIGINT UNSIGNED NOT NULL,
    kafka_partition    INT          NOT NULL,
    -- The aggregate as folded so far: what the next event is applied to.
    state              JSON         NOT NULL,
    UNIQUE KEY catalog_movies_by_slug (slug),
    KEY catalog_movies_by_change (kafka_partition, position)
);

CREATE TABLE catalog_genres (
    movie_id CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    genre    VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    ordinal  INT UNSIGNED NOT NULL,
    PRIMARY KEY (movie_id, ordinal),
    KEY catalog_genres_by_genre (genre, movie_id)
);

CREATE TABLE catalog_stream_sources (
    stream_source_id  CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    movie_id          CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ordinal           INT UNSIGNED NOT NULL,
    -- Sealed (AES-256-GCM): the plain URL is never stored.
    stream_url        TEXT        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    quality_tag       VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
    drm_required      BOOLEAN     NOT NULL,
    is_primary        BOOLEAN     NOT NULL,
    last_validated_at DATETIME(6) NOT NULL,
    validation_status VARCHAR(7)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    facts             JSON        NOT NULL,
    KEY catalog_stream_sources_by_movie (movie_id, ordinal)
);

CREATE TABLE catalog_caption_tracks (
    caption_track_id  CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    movie_id          CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ordinal           INT UNSIGNED NOT NULL,
    language_code     CHAR(2)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    caption_url       TEXT        CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    format            VARCHAR(6)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    is_default        BOOLEAN     NOT NULL,
    last_validated_at DATETIME(6) NOT NULL,
    validation_status VARCHAR(7)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    facts             JSON        NOT NULL,
    UNIQUE KEY catalog_caption_tracks_by_movie (movie_id, language_code)
);

-- Who changed what, when, by which command.
CREATE TABLE movie_history (
    movie_id    CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    version     BIGINT UNSIGNED NOT NULL,
    position    BIGINT UNSIGNED NOT NULL,
    event_type  VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    command     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    actor       CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    request_id  VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    recorded_at DATETIME(6)  NOT NULL,
    payload     JSON         NOT NULL,
    PRIMARY KEY (movie_id, version)
);

-- Data model: SignedStreamToken, "audit trail in MySQL for compliance". Rows are only ever added.
-- signed_url is kept with the token replaced by its digest: an audit must not be a way to play.
CREATE TABLE stream_token_audit (
    token_id       CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    movie_id       CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    event_type     VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    viewer_context CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    dialect        VARCHAR(20)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    key_id         VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    token_sha256   CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    signed_url     TEXT         CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    issued_at      DATETIME(6)  NOT NULL,
    expires_at     DATETIME(6)  NOT NULL,
    -- Whether Redis held the token when it was issued.
    stateless      BOOLEAN      NOT NULL,
    PRIMARY KEY (token_id, movie_id),
    KEY stream_token_audit_by_viewer (viewer_context, issued_at),
    KEY stream_token_audit_by_movie (movie_id, issued_at)
);

-- Text here is read by sqlx's derives, which take columns of a binary collation for bytes.

-- How far a projection has come, per partition. Written in the transaction that writes its rows.
CREATE TABLE projection_checkpoints (
    projection      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    topic           VARCHAR(128) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    kafka_partition INT          NOT NULL,
    -- The offset to read next.
    next_offset     BIGINT       NOT NULL,
    -- The highest event position applied; 0 for topics without positions.
    position        BIGINT UNSIGNED NOT NULL,
    -- Rises when rows were changed out of position order (parked events tried again, a rebuild):
    -- who follows by position reads everything anew, the partition's worker drops what it cached.
    generation      BIGINT UNSIGNED NOT NULL DEFAULT 0,
    updated_at      DATETIME(6)  NOT NULL,
    PRIMARY KEY (projection, topic, kafka_partition)
);

-- Records that could not be decoded or applied, with all that is needed to try again.
CREATE TABLE parked_events (
    id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    projection      VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    topic           VARCHAR(128) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    kafka_partition INT          NOT NULL,
    kafka_offset    BIGINT       NOT NULL,
    -- Empty when the record has no key that names a movie.
    movie_id        VARCHAR(36)  CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL,
    record_key      MEDIUMBLOB   NULL,
    headers         JSON         NOT NULL,
    payload         LONGBLOB     NULL,
    error           TEXT         CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci NOT NULL,
    parked_at       DATETIME(6)  NOT NULL,
    UNIQUE KEY parked_events_once (projection, topic, kafka_partition, kafka_offset),
    KEY parked_events_by_movie (projection, movie_id, kafka_offset)
);
