//! Documents, small: a catalog of 36,000 movies is mostly their text.
//!
//! They are much alike, so each is compressed against examples of its kind: to a third or a quarter.
//! Unpacking takes a few microseconds, and what is asked for often is kept unpacked (`PageCache`).

use std::{cell::RefCell, fmt, io, sync::LazyLock};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::example;

/// Beyond it, packing takes longer and gains nothing.
const LEVEL: Compression = Compression::new(6);

static EXAMPLES: LazyLock<Vec<u8>> = LazyLock::new(example::documents);

thread_local! {
    static UNPACKER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// A document; within the process only: another version has other examples.
pub(super) struct Packed {
    bytes: Box<[u8]>,
    unpacked_bytes: usize,
}

/// Packs many documents, one after the other.
pub(super) struct Packer(Compress);

impl Packer {
    pub(super) fn new() -> Self {
        Self(Compress::new(LEVEL, false))
    }

    pub(super) fn pack(&mut self, document: &[u8]) -> io::Result<Packed> {
        self.0.reset();
        self.0.set_dictionary(&EXAMPLES).map_err(io::Error::other)?;
        // What does not become smaller becomes longer by a few bytes for each 16 KiB.
        let mut bytes = Vec::with_capacity(document.len() + document.len() / 512 + 64);
        let status = self.0.compress_vec(document, &mut bytes, FlushCompress::Finish)?;
        if status != Status::StreamEnd {
            return Err(io::Error::other("a document was not packed to its end"));
        }
        Ok(Packed { bytes: bytes.into(), unpacked_bytes: document.len() })
    }
}

impl Packed {
    pub(super) const fn unpacked_bytes(&self) -> usize {
        self.unpacked_bytes
    }

    /// What it takes in memory.
    pub(super) fn packed_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn unpack(&self) -> io::Result<Vec<u8>> {
        UNPACKER.with_borrow_mut(|unpacker| {
            unpacker.reset(false);
            unpacker.set_dictionary(&EXAMPLES).map_err(io::Error::other)?;
            let mut document = Vec::with_capacity(self.unpacked_bytes);
            unpacker
                .decompress_vec(&self.bytes, &mut document, FlushDecompress::Finish)
                .map_err(io::Error::other)?;
            if document.len() != self.unpacked_bytes {
                return Err(io::Error::other("a document was not unpacked to its end"));
            }
            Ok(document)
        })
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Packer")
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Packed({} of {} bytes)", self.bytes.len(), self.unpacked_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot be packed.
    fn noise() -> Vec<u8> {
        let mut state = 7_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..100_000).map(next).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked_and_an_example_becomes_small() {
        let mut packer = Packer::new();
        for document in [&b""[..], b"{}", &EXAMPLES, &noise()] {
            let small = packer.pack(document).unwrap();
            assert_eq!(small.unpack().unwrap(), document);
        }
        let small = packer.pack(&EXAMPLES).unwrap();
        assert!(small.packed_bytes() * 20 < EXAMPLES.len(), "{small:?}");
    }
}
