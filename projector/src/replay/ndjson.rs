//! Lines of JSON into a file, plain or as gzip.
//!
//! A gzip file gets a member for each page, so that a resumed one has the same bytes. Members one
//! after the other are one gzip file (RFC 1952), to every tool.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use marquee_infra::event_log::RecordedEvent;

use super::{
    cursor::Cursor, error::ReplayError, line, manifest::Manifest, part_file::PartFile,
    target::Format,
};

/// So many bytes of lines are written at once.
const CHUNK_BYTES: usize = 1 << 18;

#[derive(Debug)]
pub struct NdjsonFile {
    part: PartFile,
    lines: Vec<u8>,
    /// The page's member.
    gzip: Option<GzEncoder<Vec<u8>>>,
}

impl NdjsonFile {
    pub fn new(part: PartFile, format: Format) -> Self {
        let gzip = (format == Format::NdjsonGzip).then(|| encoder(Vec::new()));
        Self { part, lines: Vec::with_capacity(CHUNK_BYTES + 4_096), gzip }
    }

    pub fn write(&mut self, events: &[RecordedEvent]) -> Result<(), ReplayError> {
        for event in events {
            line::append(&mut self.lines, event).map_err(|error| self.part.failed(error.into()))?;
            if self.lines.len() >= CHUNK_BYTES {
                self.write_lines()?;
            }
        }
        Ok(())
    }

    pub fn end_page(&mut self, cursor: &Cursor) -> Result<(), ReplayError> {
        let anything = cursor.tally != *self.part.tally();
        self.write_lines()?;
        if anything {
            self.end_member()?;
        }
        self.part.end_page(cursor)
    }

    pub fn pause(&mut self) -> Result<(), ReplayError> {
        self.part.save()
    }

    pub fn finish(mut self, cursor: &Cursor) -> Result<Manifest, ReplayError> {
        if self.part.bytes() == 0 {
            // Nothing at all would be no gzip file.
            self.end_member()?;
        }
        self.part.end_page(cursor)?;
        self.part.finish()
    }

    fn write_lines(&mut self) -> Result<(), ReplayError> {
        let written = match &mut self.gzip {
            Some(gzip) => gzip.write_all(&self.lines),
            None => self.part.write_all(&self.lines),
        };
        self.lines.clear();
        written.map_err(|error| self.part.failed(error))
    }

    fn end_member(&mut self) -> Result<(), ReplayError> {
        let Some(gzip) = self.gzip.take() else { return Ok(()) };
        let written = gzip.finish().and_then(|mut member| {
            self.part.write_all(&member)?;
            member.clear();
            self.gzip = Some(encoder(member));
            Ok(())
        });
        written.map_err(|error| self.part.failed(error))
    }
}

/// Without a name and a time in its header: nothing but the lines decides on the bytes.
fn encoder(buffer: Vec<u8>) -> GzEncoder<Vec<u8>> {
    GzEncoder::new(buffer, Compression::new(6))
}
