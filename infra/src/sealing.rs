//! Stream URLs at rest: AES-256-GCM under a data key per movie, which is itself wrapped by a
//! key-encryption key (KEK) with an id.
//!
//! Rotating the KEK rewraps small rows and touches no event. Destroying a movie's data key makes its
//! URLs unreadable wherever the log has been copied to.

use std::{collections::HashMap, fmt, sync::Arc};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use marquee_domain::{
    MovieId, StreamSourceId,
    values::{SealedUrl, StreamUrl},
};
use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{MySqlPool, Row};
use thiserror::Error;

use crate::clock;

const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;
/// Data keys kept in memory.
const CACHED_KEYS: u64 = 50_000;

#[derive(Debug, Error)]
pub enum SealingError {
    #[error("sealing.keys must be `id:base64 of 32 bytes`, comma separated, the active one first")]
    BadKeys,
    #[error("the sealed URL is damaged, or belongs to another movie or source")]
    Damaged,
    #[error("the movie's data key is gone: its URLs cannot be read any more")]
    Shredded,
    #[error("the data key is wrapped by the key \"{0}\", which is not configured")]
    UnknownKek(String),
    #[error("the data keys cannot be reached")]
    Unavailable(#[from] sqlx::Error),
}

/// Seals and opens stream URLs.
#[derive(Clone)]
pub struct Sealer {
    pool: MySqlPool,
    keks: Arc<HashMap<String, Aes256Gcm>>,
    active: Arc<str>,
    data_keys: Cache<MovieId, Arc<Aes256Gcm>>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Sealer {
    /// `keys` is `id:base64,id:base64`; the first one wraps, all of them unwrap.
    pub fn new(pool: MySqlPool, keys: &SecretString) -> Result<Self, SealingError> {
        let mut by_id = HashMap::new();
        let mut active = None;
        for entry in keys.expose_secret().split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (id, key) = entry.split_once(':').ok_or(SealingError::BadKeys)?;
            let key = BASE64_STANDARD.decode(key).map_err(|_| SealingError::BadKeys)?;
            let well_formed_id = (1..=64).contains(&id.len()) && id.is_ascii();
            let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| SealingError::BadKeys)?;
            if !well_formed_id || by_id.insert(id.to_owned(), cipher).is_some() {
                return Err(SealingError::BadKeys);
            }
            active.get_or_insert_with(|| id.into());
        }
        let active = active.ok_or(SealingError::BadKeys)?;
        Ok(Self { pool, keks: Arc::new(by_id), active, data_keys: Cache::new(CACHED_KEYS) })
    }

    /// Seals `url` for this source of this movie, making the movie's data key if it has none.
    pub async fn seal(
        &self,
        movie_id: MovieId,
        source_id: StreamSourceId,
        url: &StreamUrl,
    ) -> Result<SealedUrl, SealingError> {
        let key = match self.data_key(movie_id).await {
            Err(SealingError::Shredded) => self.create_data_key(movie_id).await?,
            other => other?,
        };
        let sealed =
            encrypt(&key, url.expose().as_str().as_bytes(), &url_aad(movie_id, source_id))?;
        Ok(SealedUrl::from_text(format!("v1.{}", BASE64_URL_SAFE_NO_PAD.encode(sealed))))
    }

    /// The plain URL. Keep it in memory only as long as needed, and never log it.
    pub async fn open(
        &self,
        movie_id: MovieId,
        source_id: StreamSourceId,
        sealed: &SealedUrl,
    ) -> Result<StreamUrl, SealingError> {
        let bytes = sealed
            .as_str()
            .strip_prefix("v1.")
            .and_then(|text| BASE64_URL_SAFE_NO_PAD.decode(text).ok())
            .ok_or(SealingError::Damaged)?;
        let key = self.data_key(movie_id).await?;
        let plain = decrypt(&key, &bytes, &url_aad(movie_id, source_id))?;
        let text = String::from_utf8(plain).map_err(|_| SealingError::Damaged)?;
        StreamUrl::parse(&text).map_err(|_| SealingError::Damaged)
    }

    async fn data_key(&self, movie_id: MovieId) -> Result<Arc<Aes256Gcm>, SealingError> {
        if let Some(key) = self.data_keys.get(&movie_id) {
            return Ok(key);
        }
        let row = sqlx::query("SELECT kek_id, wrapped_key FROM movie_data_keys WHERE movie_id = ?")
            .bind(movie_id.to_string())
            .fetch_optional(&self.pool)
            .await?
            .ok_or(SealingError::Shredded)?;
        // sqlx takes text of a binary collation for bytes, unless it is told not to look.
        let kek_id: String = row.try_get_unchecked("kek_id")?;
        let wrapped: Vec<u8> = row.try_get("wrapped_key")?;
        let kek = self.keks.get(&kek_id).ok_or(SealingError::UnknownKek(kek_id))?;
        let key = decrypt(kek, &wrapped, &key_aad(movie_id))?;
        let key = Arc::new(Aes256Gcm::new_from_slice(&key).map_err(|_| SealingError::Damaged)?);
        self.data_keys.insert(movie_id, Arc::clone(&key));
        Ok(key)
    }

    /// Two callers may race: the first row stays, and both read it back.
    async fn create_data_key(&self, movie_id: MovieId) -> Result<Arc<Aes256Gcm>, SealingError> {
        let key: [u8; KEY_BYTES] = clock::random_bytes();
        let kek = &self.keks[&*self.active];
        let wrapped = encrypt(kek, &key, &key_aad(movie_id))?;
        let inserted = sqlx::query(
            "INSERT INTO movie_data_keys (movie_id, kek_id, wrapped_key, created_at) \
             VALUES (?, ?, ?, ?)",
        )
        .bind(movie_id.to_string())
        .bind(&*self.active)
        .bind(wrapped)
        .bind(clock::now().naive_utc())
        .execute(&self.pool)
        .await;
        match inserted {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        self.data_key(movie_id).await
    }
}

/// Binds a sealed URL to its movie, source and field: moved elsewhere, it does not open.
fn url_aad(movie_id: MovieId, source_id: StreamSourceId) -> String {
    format!("marquee/v1/{movie_id}/{source_id}/stream_url")
}

fn key_aad(movie_id: MovieId) -> String {
    format!("marquee/v1/{movie_id}/data-key")
}

/// Nonce, then ciphertext and tag.
fn encrypt(cipher: &Aes256Gcm, plain: &[u8], aad: &str) -> Result<Vec<u8>, SealingError> {
    let nonce_bytes: [u8; NONCE_BYTES] = clock::random_bytes();
    let nonce = Nonce::from(nonce_bytes);
    let sealed = cipher
        .encrypt(&nonce, Payload { msg: plain, aad: aad.as_bytes() })
        .map_err(|_| SealingError::Damaged)?;
    Ok([&nonce_bytes[..], &sealed].concat())
}

fn decrypt(cipher: &Aes256Gcm, sealed: &[u8], aad: &str) -> Result<Vec<u8>, SealingError> {
    let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealingError::Damaged)?;
    let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SealingError::Damaged)?;
    cipher
        .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: aad.as_bytes() })
        .map_err(|_| SealingError::Damaged)
}
