//! `marquee.catalog.v1` against the read models, as of the topic's cursor.

use std::collections::HashMap;

use marquee_domain::MovieId;
use marquee_infra::kafka::{ClientSettings, partition_of};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Progress,
    finding::{Findings, Kind},
    report::LookedAt,
    scan::{Record, Scan},
};
use crate::catalog_topic::{Checkpoint, Cursors, MovieDocument};

/// What compaction would leave of the topic: 40 bytes a movie.
#[derive(Debug, Default)]
pub struct Documents {
    last: HashMap<MovieId, Published>,
    cursors: Cursors,
}

#[derive(Debug, Clone, Copy)]
struct Published {
    version: u64,
    /// None: a tombstone.
    digest: Option<[u8; 16]>,
}

/// A movie as its row has it.
#[derive(Debug)]
pub struct Expected<'a> {
    pub movie_id: MovieId,
    pub version: u64,
    pub position: u64,
    pub partition: i32,
    /// None: it was removed.
    pub document: Option<&'a MovieDocument>,
}

impl Documents {
    /// `cursors` were asked for before: what they tell of is on the topic by now.
    pub async fn read(
        client: &ClientSettings,
        topic: &str,
        cursors: Cursors,
        findings: &mut Findings,
        looked_at: &mut LookedAt,
        progress: &mut Progress,
    ) -> anyhow::Result<Self> {
        let mut documents = Self { last: HashMap::new(), cursors };
        let mut scan = Scan::start(client, topic).await?;
        progress.begin("catalog topic", scan.expected);
        while let Some(records) = scan.next().await? {
            progress.moved(records.len());
            for record in &records {
                looked_at.documents += 1;
                documents.take(record, scan.partitions, findings);
            }
        }
        Ok(documents)
    }

    fn take(&mut self, record: &Record, partitions: i32, findings: &mut Findings) {
        let Record { partition, offset, .. } = record;
        let at = format!("partition {partition}, offset {offset}");
        let about = record.about.as_ref().ok();
        let movie_id = record.key_text().and_then(|key| key.parse::<MovieId>().ok());
        let (Some(movie_id), Some(version)) = (movie_id, about.and_then(|about| about.sequence))
        else {
            findings.add(Kind::DocumentDiffers, None, format!("{at}: it is no document"));
            return;
        };
        let position = about.and_then(|about| about.position);
        let key = record.key.as_deref().unwrap_or_default();
        if partition_of(key, partitions) != *partition {
            let detail = format!("{at}: movie {movie_id} belongs to another partition");
            findings.add(Kind::DocumentDiffers, position, detail);
        }
        let digest = record.value.as_deref().map(digest);
        if let Some(before) = self.last.insert(movie_id, Published { version, digest })
            && before.version > version
        {
            let detail = format!(
                "{at}: movie {movie_id} at version {version} after version {}",
                before.version
            );
            findings.add(Kind::DocumentOutOfOrder, position, detail);
        }
    }

    /// Compares a movie that was read after the topic. Whether it has to be published anew.
    pub fn compare(
        &mut self,
        expected: &Expected<'_>,
        checkpoint: Option<&Checkpoint>,
        findings: &mut Findings,
    ) -> bool {
        let Expected { movie_id, version, position, partition, document } = *expected;
        let found = self.last.remove(&movie_id);
        let cursor = self.cursors.get(&partition);
        // While a generation is being published, a position does not tell what is there.
        let has_to_be_there = cursor.zip(checkpoint).is_some_and(|(cursor, checkpoint)| {
            cursor.generation == checkpoint.generation && position <= cursor.position
        });
        let at = Some(position);
        match found {
            None => {
                let missing = has_to_be_there && document.is_some();
                if missing {
                    let detail = format!("movie {movie_id}, version {version}");
                    findings.add(Kind::DocumentMissing, at, detail);
                }
                missing
            }
            Some(found) if found.version <= version && !has_to_be_there => false,
            Some(found) => {
                let bytes = document.and_then(|it| serde_json::to_vec(it).ok());
                let digest = bytes.as_deref().map(digest);
                let same = found.version == version && found.digest == digest;
                if !same {
                    let detail = if found.version == version {
                        format!("movie {movie_id}, version {version}: the content")
                    } else {
                        format!("movie {movie_id}: version {}, not {version}", found.version)
                    };
                    findings.add(Kind::DocumentDiffers, at, detail);
                }
                !same
            }
        }
    }

    /// A movie whose row says nothing about its document.
    pub fn forget(&mut self, movie_id: MovieId) {
        self.last.remove(&movie_id);
    }

    /// What no row has asked for.
    pub fn finish(self, findings: &mut Findings) {
        for (movie_id, published) in self.last {
            if published.digest.is_some() {
                findings.add(Kind::DocumentSurplus, None, format!("movie {movie_id}"));
            }
        }
    }
}

/// The same for the same content, however it is written.
fn digest(document: &[u8]) -> [u8; 16] {
    let content = serde_json::from_slice::<Value>(document).unwrap_or_default().to_string();
    let hash: [u8; 32] = Sha256::digest(content).into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}
