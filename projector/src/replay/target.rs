//! The file that is asked for, and the files beside it while it is made.
//!
//! `PATH.part` grows, `PATH.part.json` says how far it is good, `PATH.manifest.json` describes the
//! finished `PATH`. Nothing of the name `PATH` is there before it is whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    args::Existing, cursor::Cursor, error::ReplayError, manifest::Manifest, request::Request,
};

/// What is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    #[serde(rename = "ndjson")]
    Ndjson,
    #[serde(rename = "ndjson.gz")]
    NdjsonGzip,
    #[serde(rename = "parquet")]
    Parquet,
}

#[derive(Debug, Clone)]
pub struct Target {
    pub path: PathBuf,
    pub format: Format,
}

/// Up to where a part file is good, and what it is a part of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    pub format: Format,
    pub request: Request,
    #[serde(flatten)]
    pub cursor: Cursor,
    pub bytes: u64,
    /// Of the bytes so far.
    pub sha256: String,
}

/// What was found in the target's place.
#[derive(Debug)]
pub enum Found {
    Nothing,
    Part(Box<State>),
    Whole(Box<Manifest>),
}

impl Target {
    pub fn ndjson(path: PathBuf) -> Result<Self, ReplayError> {
        let format = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Format::NdjsonGzip,
            Some("zst" | "bz2" | "xz" | "zip" | "parquet") => {
                return Err(ReplayError::Refused(format!(
                    "{}: NDJSON is written plain, or compressed to a name that ends with .gz",
                    path.display()
                )));
            }
            _ => Format::Ndjson,
        };
        Ok(Self { path, format })
    }

    pub fn part(&self) -> PathBuf {
        beside(&self.path, ".part")
    }

    pub fn state(&self) -> PathBuf {
        beside(&self.path, ".part.json")
    }

    pub fn manifest(&self) -> PathBuf {
        beside(&self.path, ".manifest.json")
    }

    /// Looks at what is there. What is to be overwritten stays until the new file is whole.
    pub fn find(&self, request: &Request, existing: Existing) -> Result<Found, ReplayError> {
        match existing {
            Existing::Keep => self.refuse_anything(),
            Existing::Overwrite => Ok(Found::Nothing),
            Existing::Resume => self.find_resumable(request),
        }
    }

    fn refuse_anything(&self) -> Result<Found, ReplayError> {
        if self.path.exists() {
            return Err(ReplayError::Refused(format!(
                "{} is there already; --overwrite replaces it",
                self.path.display()
            )));
        }
        if self.part().exists() || self.state().exists() {
            return Err(ReplayError::Refused(format!(
                "{} is there from an interrupted replay; --resume goes on with it, --overwrite \
                 begins again",
                self.part().display()
            )));
        }
        Ok(Found::Nothing)
    }

    fn find_resumable(&self, request: &Request) -> Result<Found, ReplayError> {
        let state: Option<State> = read_json(&self.state())?;
        if let Some(state) = state {
            self.expect_same(request, &state.request, state.format)?;
            if self.part().exists() {
                return Ok(Found::Part(Box::new(state)));
            }
            if !self.path.exists() {
                return Err(ReplayError::Damaged {
                    path: self.part(),
                    why: format!("it is gone, {} is not", self.state().display()),
                });
            }
            // Ended between the last rename and cleaning up.
            remove(&self.state())?;
        }
        if !self.path.exists() {
            return Ok(Found::Nothing);
        }
        let manifest: Manifest = read_json(&self.manifest())?.ok_or_else(|| {
            ReplayError::Refused(format!(
                "{} is there already, without a manifest; --overwrite replaces it",
                self.path.display()
            ))
        })?;
        self.expect_same(request, &manifest.request, manifest.format)?;
        Ok(Found::Whole(Box::new(manifest)))
    }

    fn expect_same(
        &self,
        request: &Request,
        found: &Request,
        format: Format,
    ) -> Result<(), ReplayError> {
        if format != self.format {
            return Err(ReplayError::Refused(format!(
                "{} is of another format",
                self.path.display()
            )));
        }
        if found == request {
            return Ok(());
        }
        Err(ReplayError::Refused(format!(
            "{} is of another replay: {}",
            self.path.display(),
            found.differences(request)
        )))
    }
}

/// `None` if there is no such file.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReplayError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(ReplayError::File { doing: "read", path: path.to_owned(), source });
        }
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| ReplayError::Damaged { path: path.to_owned(), why: error.to_string() })
}

/// All or nothing, and on disk when it returns.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let written = beside(path, ".tmp");
    let mut file = File::create(&written)?;
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(written, path)?;
    sync_folder(path)
}

/// A rename is durable when its folder is.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

pub fn remove(path: &Path) -> Result<(), ReplayError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ReplayError::File { doing: "removed", path: path.to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
