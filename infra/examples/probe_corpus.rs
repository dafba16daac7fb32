//! Reads a folder of public test files with the probe's parsers and prints what each comes to, for
//! the tables of `docs/probing.md`:
//!
//!     cargo run -p marquee-infra --example probe_corpus -- DIR
//!
//! `DIR` holds `hls/` (with `expected.json`), `webvtt/` and `ttml/`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use marquee_infra::probing::{ProbeError, hls, ttml, webvtt};
use serde::Deserialize;

const MAX_VARIANTS: usize = 64;

/// What an independent reader found in a playlist.
#[derive(Deserialize)]
struct Expected {
    master: bool,
    media: bool,
    duration_s: f64,
    extinf_count: u32,
    endlist: bool,
    key_methods: Vec<String>,
}

fn main() -> Result<()> {
    let corpora = PathBuf::from(std::env::args().nth(1).context("usage: probe_corpus DIR")?);
    playlists(&corpora.join("hls"))?;
    captions(&corpora.join("webvtt"), webvtt::count_cues)?;
    captions(&corpora.join("ttml"), ttml::count_cues)
}

fn playlists(folder: &Path) -> Result<()> {
    let expected: BTreeMap<String, Expected> =
        serde_json::from_str(&fs::read_to_string(folder.join("expected.json"))?)?;
    let mut agreeing = 0;
    println!("## hls\n");
    for (name, expected) in &expected {
        let text = fs::read_to_string(folder.join(name))?;
        let reading = hls::read(&text, MAX_VARIANTS);
        let differences = differences(&reading, expected);
        agreeing += usize::from(differences.is_empty());
        let verdict = match reading.check(MAX_VARIANTS) {
            Ok(hls::Playlist::Master(master)) => {
                format!(
                    "{} variants, {} renditions",
                    master.variants.len(),
                    master.renditions.len()
                )
            }
            Ok(hls::Playlist::Media(media)) => format!("{:.3} s", media.seconds),
            Err(error) => format!("refused: {}", error.rule_id()),
        };
        println!("{name}: {verdict}{}", differences.concat());
    }
    println!("\n{agreeing} of {} agree with expected.json\n", expected.len());
    Ok(())
}

fn differences(reading: &hls::Reading, expected: &Expected) -> Vec<String> {
    let keyed = expected.key_methods.iter().any(|method| method != "NONE");
    let is_keyed = reading.protection != hls::Reading::default().protection;
    let segments = f64::from(reading.measured_segments);
    let compared = [
        ("master", f64::from(reading.has_master_tags), f64::from(expected.master)),
        ("media", f64::from(reading.has_media_tags), f64::from(expected.media)),
        ("seconds", reading.seconds, expected.duration_s),
        ("segments", segments, f64::from(expected.extinf_count)),
        ("endlist", f64::from(reading.ended), f64::from(expected.endlist)),
        ("keys", f64::from(is_keyed), f64::from(keyed)),
    ];
    compared
        .into_iter()
        .filter(|(_, is, should_be)| (is - should_be).abs() > 0.000_5)
        .map(|(what, is, should_be)| format!("  [{what} {is}, expected {should_be}]"))
        .collect()
}

fn captions(folder: &Path, count: fn(&[u8]) -> Result<u32, ProbeError>) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut accepted = 0;
    println!("## {}\n", folder.file_name().unwrap_or_default().display());
    for file in &files {
        let verdict = match count(&fs::read(file.path())?) {
            Ok(cues) => {
                accepted += 1;
                format!("{cues} cues")
            }
            Err(error) => format!("refused: {}", error.rule_id()),
        };
        println!("{}: {verdict}", file.file_name().display());
    }
    println!("\n{accepted} of {} accepted\n", files.len());
    Ok(())
}
