//! Checking a file against its manifest: its bytes, and for NDJSON what is in its lines.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    cursor::Tally,
    error::ReplayError,
    manifest::Manifest,
    sink::Summary,
    target::{Format, read_json},
};

const READ_BYTES: usize = 1 << 16;

/// All that is wrong is told at once.
pub fn verify(manifest_path: &Path) -> Result<Summary, ReplayError> {
    let manifest: Manifest = read_json(manifest_path)?.ok_or_else(|| {
        ReplayError::Refused(format!("there is no manifest {}", manifest_path.display()))
    })?;
    let path = manifest_path.with_file_name(&manifest.file);
    let unreadable = |source| ReplayError::File { doing: "read", path: path.clone(), source };
    let (bytes, sha256) = measure(&path).map_err(unreadable)?;
    let mut wrong = Vec::new();
    if bytes != manifest.bytes {
        wrong.push(format!("it has {bytes} bytes in place of {}", manifest.bytes));
    }
    if sha256 != manifest.sha256 {
        wrong.push(format!("its SHA-256 is {sha256} in place of {}", manifest.sha256));
    }
    match manifest.format {
        Format::Ndjson | Format::NdjsonGzip => match count(&path, manifest.format) {
            Ok(tally) if tally == manifest.tally => {}
            Ok(tally) => wrong.push(format!("it has {tally} in place of {}", manifest.tally)),
            Err(error) => wrong.push(format!("its lines can't be read: {error}")),
        },
        // Its bytes tell; reading it takes a feature that not every build has.
        Format::Parquet => {}
    }
    if wrong.is_empty() {
        Ok(Summary::Verified(Box::new(manifest)))
    } else {
        Err(ReplayError::Damaged { path, why: wrong.join("; ") })
    }
}

fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hex::encode(sha256.finalize()))),
            read => {
                bytes += read as u64;
                sha256.update(&buffer[..read]);
            }
        }
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
    position: u64,
}

fn count(path: &Path, format: Format) -> io::Result<Tally> {
    let file = BufReader::new(File::open(path)?);
    let mut lines: Box<dyn BufRead> = match format {
        Format::NdjsonGzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Format::Ndjson | Format::Parquet => Box::new(file),
    };
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let event: Line<'_> = serde_json::from_slice(&line)?;
        if tally.last_position.is_some_and(|last| event.position <= last) {
            return Err(io::Error::other(format!("position {} is out of order", event.position)));
        }
        tally.count(&event.event_type, event.position);
        line.clear();
    }
    Ok(tally)
}
