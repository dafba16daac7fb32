//! Reads what an admin's URLs point at, before a command is decided: the playlists of a stream,
//! the cues of a caption file.
//!
//! Those URLs are chosen by people, so every fetch passes one guard (`guard`, `fetch`): https,
//! public or explicitly allowed addresses only, bounded in time and size. Nothing here applies a
//! business rule: it measures, and `marquee_domain` decides. `docs/probing.md` is the handbook.

mod address;
mod allow_list;
mod error;
mod fetch;
mod guard;
pub mod hls;
mod prober;
mod protection;
mod resolve;
mod settings;
mod stream;
mod tls;
pub mod ttml;
pub mod webvtt;

pub use address::special_purpose;
pub use allow_list::{AllowList, AllowListError};
pub use error::ProbeError;
pub use prober::Prober;
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use settings::{ProbeSettings, ProbeSetupError};
