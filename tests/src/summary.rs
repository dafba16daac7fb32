//! What a test wants to be known of it though it succeeds: a seed, how much it did, figures.

use std::io::Write;

use crate::{servers::binaries, service::open_log};

/// Shows the line at once, past what captures tests' output, and keeps it for the end of the run, where
/// `infra/local/test` shows all of them.
pub fn say(line: &str) {
    // A terminal that is gone is no reason to fail.
    let _ = writeln!(std::io::stderr(), "{line}");
    let folder = binaries().join("marquee-tests");
    let kept = std::fs::create_dir_all(&folder)
        .and_then(|()| writeln!(open_log(&folder.join("summary.txt")), "{line}"));
    kept.expect("a file can be written below target/");
}
