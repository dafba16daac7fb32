//! The file of keys, read again when it changes: a rotation needs no restart.
//!
//! A file that was changed is taken when two looks in a row have found it the same: who writes it may
//! be in the middle of it. One that can't be taken changes nothing; it is complained of until it is mended.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::sleep;

use super::{Cdns, CdnsError};

const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The keys as they are now. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct LiveCdns(Arc<ArcSwap<Cdns>>);

/// What the file was like when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysStatus {
    /// Of each CDN, the one that signs first.
    pub key_ids: Vec<Vec<String>>,
    /// Why the file is not what is in use.
    pub problem: Option<String>,
}

#[derive(Debug, Error)]
pub enum KeysFileError {
    #[error("cannot be read")]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    Form(#[from] CdnsError),
}

pub struct KeysFile {
    path: PathBuf,
    live: LiveCdns,
    taken: Fingerprint,
    seen: Option<Fingerprint>,
    problem: Arc<Mutex<Option<String>>>,
}

type Fingerprint = [u8; 32];

impl LiveCdns {
    pub fn new(cdns: Cdns) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(cdns)))
    }

    /// One look: all that is asked of it is of the same file.
    pub fn now(&self) -> Arc<Cdns> {
        self.0.load_full()
    }
}

impl KeysFile {
    /// At start, a file that can't be taken is an error: there are no keys to go on with.
    pub fn open(path: &Path) -> Result<Self, KeysFileError> {
        let text = SecretString::from(std::fs::read_to_string(path)?);
        let live = LiveCdns::new(parse(&text)?);
        let taken = fingerprint(&text);
        gauge(false);
        Ok(Self { path: path.to_owned(), live, taken, seen: None, problem: Arc::default() })
    }

    pub fn live(&self) -> LiveCdns {
        self.live.clone()
    }

    /// What is told of it, for as long as anybody asks.
    pub fn watch(&self) -> impl Fn() -> KeysStatus + Send + Sync + Clone + use<> {
        let (live, problem) = (self.live.clone(), Arc::clone(&self.problem));
        move || KeysStatus {
            key_ids: live.now().key_ids(),
            problem: problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Looks for ever.
    pub async fn follow(mut self) {
        loop {
            sleep(LOOK_INTERVAL).await;
            let read = tokio::fs::read_to_string(&self.path).await;
            self.look(read.map(SecretString::from));
        }
    }

    fn look(&mut self, read: io::Result<SecretString>) {
        let text = match read {
            Ok(text) => text,
            Err(error) => return self.refuse(&error.into()),
        };
        let found = fingerprint(&text);
        if found == self.taken {
            self.seen = None;
            // It is what it was before somebody spoiled it.
            return self.settle();
        }
        if self.seen.replace(found) != Some(found) {
            return;
        }
        match parse(&text) {
            Ok(cdns) => {
                let key_ids = cdns.key_ids();
                self.live.0.store(Arc::new(cdns));
                self.taken = found;
                tracing::info!(?key_ids, "the stream tokens' keys were read anew");
                self.settle();
            }
            Err(error) => self.refuse(&error.into()),
        }
    }

    fn settle(&self) {
        gauge(false);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Once for each problem, however often it is met.
    fn refuse(&self, error: &KeysFileError) {
        gauge(true);
        let text = format!("{} {error}", self.path.display());
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if problem.as_ref() != Some(&text) {
            tracing::error!(problem = text, "the stream tokens' keys stay as they were");
            *problem = Some(text);
        }
    }
}

impl fmt::Debug for KeysFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn parse(text: &SecretString) -> Result<Cdns, CdnsError> {
    Cdns::parse(text.expose_secret())
}

fn fingerprint(text: &SecretString) -> Fingerprint {
    Sha256::digest(text.expose_secret().as_bytes()).into()
}

fn gauge(refused: bool) {
    metrics::gauge!("marquee_stream_token_keys_refused").set(f64::from(u8::from(refused)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[&str]) -> String {
        let key = |id| format!("[[cdn.keys]]\nid = '{id}'\nsecret = '{}'\n", "0f".repeat(16));
        let keys: String = ids.iter().map(key).collect();
        format!("[[cdn]]\nhosts = ['*']\ndialect = 'EDGE_AUTH'\n{keys}")
    }

    fn file(ids: &[&str]) -> KeysFile {
        let text = SecretString::from(ring(ids));
        KeysFile {
            path: PathBuf::from("keys.toml"),
            live: LiveCdns::new(parse(&text).unwrap()),
            taken: fingerprint(&text),
            seen: None,
            problem: Arc::default(),
        }
    }

    #[test]
    fn a_change_is_taken_at_the_second_look_that_finds_it() {
        let mut file = file(&["a"]);
        let status = file.watch();
        let seen = |file: &mut KeysFile, text: String| {
            file.look(Ok(text.into()));
            status().key_ids.concat()
        };
        assert_eq!(seen(&mut file, ring(&["a", "b"])), ["a"]);
        // It was in the middle of being written.
        assert_eq!(seen(&mut file, ring(&["b", "a"])), ["a"]);
        assert_eq!(seen(&mut file, ring(&["b", "a"])), ["b", "a"]);
        assert_eq!(status().problem, None);
    }

    #[test]
    fn what_cannot_be_taken_is_told_and_changes_nothing() {
        let mut file = file(&["a"]);
        let status = file.watch();
        for _ in 0..2 {
            file.look(Ok("cdn = []".to_owned().into()));
        }
        assert_eq!(status().key_ids.concat(), ["a"]);
        assert_eq!(status().problem.unwrap(), "keys.toml names no CDN");
        file.look(Err(io::ErrorKind::NotFound.into()));
        assert_eq!(status().problem.unwrap(), "keys.toml cannot be read");
        file.look(Ok(ring(&["a"]).into()));
        assert_eq!(status().problem, None);
    }
}
