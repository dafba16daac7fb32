//! `projector replay`: the event log into a file or a topic, for data teams.
//!
//! It reads MySQL, the truth, page by page (`source`), and hands the pages to a sink (`sink`). A page
//! always has the same positions, whatever was interrupted before, and every sink keeps, with what it
//! has written, up to which page that is (`cursor`): so a replay that goes on makes what an
//! uninterrupted one would have made, to the byte. It writes to nothing that the services use.

mod args;
mod cursor;
mod error;
mod filter;
mod kafka;
mod line;
mod manifest;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;
mod part_file;
mod range;
mod request;
mod run;
mod schema;
mod sink;
mod source;
mod stdout;
mod target;
mod throttle;
mod verify;

use std::process::ExitCode;

pub use self::{args::ReplayArgs, manifest::Manifest, throttle::Throttle};
use crate::settings::Settings;

/// Runs the command; tells people on stderr what became of it. Exits with 0 when it is done, 1 when
/// it failed or was stopped and may be resumed, 2 when it can't be done as it was asked for.
pub async fn command(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    let result = match &args.verify {
        Some(manifest) => verify::verify(manifest),
        None => run::run(&args, &Settings::load_for_log()?).await,
    };
    Ok(match result {
        Ok(summary) => {
            eprintln!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let code = error.exit_code();
            eprintln!("projector replay: {:#}", anyhow::Error::from(error));
            ExitCode::from(code)
        }
    })
}
