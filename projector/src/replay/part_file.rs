//! A file that grows, is hashed as it grows, and gets its name when it is whole.
//!
//! Its calls block. They are made by the one task that has nothing else to do than to write.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};

use marquee_infra::clock;
use sha2::{Digest, Sha256};

use super::{
    cursor::{Cursor, Tally},
    error::ReplayError,
    manifest::Manifest,
    request::Request,
    target::{State, Target, remove, sync_folder, write_json},
};

/// How much work a crash costs, at most.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
const READ_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub struct PartFile {
    target: Target,
    request: Request,
    file: File,
    bytes: u64,
    sha256: Sha256,
    /// As of the end of the last page.
    good: Good,
    saved: Instant,
}

#[derive(Debug)]
struct Good {
    cursor: Cursor,
    bytes: u64,
    sha256: Sha256,
}

impl PartFile {
    pub fn create(target: Target, request: Request, cursor: Cursor) -> Result<Self, ReplayError> {
        let path = target.part();
        let file = open(&path)?;
        file.set_len(0).map_err(|source| failed("emptied", &path, source))?;
        let good = Good { cursor, bytes: 0, sha256: Sha256::new() };
        let saved = Instant::now();
        let mut part = Self { target, request, file, bytes: 0, sha256: Sha256::new(), good, saved };
        // At once: the range is settled, whenever it is resumed.
        part.save()?;
        Ok(part)
    }

    /// Goes on where the state says that the file is good; what is behind it is cut off.
    pub fn reopen(target: Target, state: State) -> Result<Self, ReplayError> {
        let path = target.part();
        let mut file = open(&path)?;
        let sha256 =
            hash(&mut file, state.bytes).map_err(|source| failed("read", &path, source))?;
        if hex::encode(sha256.clone().finalize()) != state.sha256 {
            return Err(ReplayError::Damaged {
                path,
                why: format!("its first {} bytes are not those that were written", state.bytes),
            });
        }
        file.set_len(state.bytes)
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .map_err(|source| failed("cut", &path, source))?;
        Ok(Self {
            target,
            request: state.request,
            file,
            bytes: state.bytes,
            sha256: sha256.clone(),
            good: Good { cursor: state.cursor, bytes: state.bytes, sha256 },
            saved: Instant::now(),
        })
    }

    /// What the whole pages add up to.
    pub const fn tally(&self) -> &Tally {
        &self.good.cursor.tally
    }

    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is written so far is whole pages.
    pub fn end_page(&mut self, cursor: &Cursor) -> Result<(), ReplayError> {
        self.good = Good { cursor: cursor.clone(), bytes: self.bytes, sha256: self.sha256.clone() };
        if self.saved.elapsed() >= SAVE_INTERVAL { self.save() } else { Ok(()) }
    }

    /// Makes the last whole page the one to go on from, whatever happens from here on.
    pub fn save(&mut self) -> Result<(), ReplayError> {
        let path = self.target.part();
        self.file.sync_data().map_err(|source| failed("written", &path, source))?;
        let state = State {
            format: self.target.format,
            request: self.request.clone(),
            cursor: self.good.cursor.clone(),
            bytes: self.good.bytes,
            sha256: hex::encode(self.good.sha256.clone().finalize()),
        };
        let path = self.target.state();
        write_json(&path, &state).map_err(|source| failed("written", &path, source))?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Gives the whole file its name. Killed in between, it is resumed and does this again.
    pub fn finish(mut self) -> Result<Manifest, ReplayError> {
        self.save()?;
        let Self { target, request, bytes, sha256, good, .. } = self;
        let manifest = Manifest::new(
            &target,
            request,
            good.cursor,
            bytes,
            hex::encode(sha256.finalize()),
            clock::now(),
        );
        let path = target.manifest();
        write_json(&path, &manifest).map_err(|source| failed("written", &path, source))?;
        fs::rename(target.part(), &target.path)
            .and_then(|()| sync_folder(&target.path))
            .map_err(|source| failed("written", &target.path, source))?;
        remove(&target.state())?;
        Ok(manifest)
    }

    pub fn failed(&self, source: io::Error) -> ReplayError {
        failed("written", &self.target.part(), source)
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Two replays into one file would each spoil the other's.
fn open(path: &Path) -> Result<File, ReplayError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|source| failed("opened", path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ReplayError::Refused(format!(
            "{} is being written by another replay",
            path.display()
        ))),
        Err(TryLockError::Error(source)) => Err(failed("locked", path, source)),
    }
}

/// Of the first `bytes`; of fewer, if the file is shorter.
fn hash(file: &mut File, bytes: u64) -> io::Result<Sha256> {
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut reader = file.take(bytes);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(sha256),
            read => sha256.update(&buffer[..read]),
        }
    }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> ReplayError {
    ReplayError::File { doing, path: path.to_owned(), source }
}
