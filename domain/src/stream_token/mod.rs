//! A signed stream token: a few minutes' leave to play one movie.
//!
//! What happens to tokens are facts of the query API. There is nothing to decide here: this is the
//! contract with whoever reads of them.

#[cfg(test)]
mod contract;
mod event;

pub use event::{
    DecodeError, Denial, IssuedToken, RenewedToken, Revocation, StreamTokenEvent, Unplayable,
    decode,
};
