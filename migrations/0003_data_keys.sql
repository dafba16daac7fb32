-- A key per movie, under which its stream URLs are sealed; itself wrapped by a key-encryption key.
-- Deleting a row makes the movie's URLs unreadable everywhere.
CREATE TABLE movie_data_keys (
    movie_id    CHAR(36)       CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    kek_id      VARCHAR(64)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Nonce (12 bytes), ciphertext and tag (AES-256-GCM).
    wrapped_key VARBINARY(128) NOT NULL,
    created_at  DATETIME(6)    NOT NULL
);
