//! Where command-api's time goes: the means of its own measurements between two moments, from `/metrics`.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use super::client::{self, Connection};

/// A histogram's sum and count, by its name and labels.
#[derive(Debug, Clone, Default)]
pub struct Steps(BTreeMap<String, (f64, f64)>);

const BATCH_COMMANDS: &str = "marquee_event_log_batch_commands";
const BATCH_SECONDS: &str = "marquee_event_log_batch_seconds";
const STEP_SECONDS: &str = "marquee_event_log_step_seconds";
const PUBLISHED_EVENTS: &str = "marquee_relay_batch_events";
const PUBLISH_SECONDS: &str = "marquee_relay_publish_seconds";

impl Steps {
    pub async fn read(address: SocketAddr) -> anyhow::Result<Self> {
        let mut connection = Connection::open(address).await?;
        let answer = connection.exchange(&client::get(address, "/metrics")).await?;
        let mut steps = Self::default();
        for line in String::from_utf8_lossy(answer.body).lines() {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            if let Some(name) = name.strip_suffix("_sum") {
                steps.0.entry(format!("{name}{labels}")).or_default().0 = value;
            } else if let Some(name) = name.strip_suffix("_count") {
                steps.0.entry(format!("{name}{labels}")).or_default().1 = value;
            }
        }
        Ok(steps)
    }

    /// What was added after `earlier`.
    pub fn since(mut self, earlier: &Self) -> Self {
        for (name, (sum, count)) in &mut self.0 {
            if let Some((earlier_sum, earlier_count)) = earlier.0.get(name) {
                *sum -= earlier_sum;
                *count -= earlier_count;
            }
        }
        self
    }

    fn mean(&self, name: &str) -> f64 {
        self.0.get(name).map_or(f64::NAN, |(sum, count)| sum / count)
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (commands, ms) = (self.mean(BATCH_COMMANDS), 1e3 * self.mean(BATCH_SECONDS));
        write!(f, "appended {commands:.1} at a time in {ms:.2} ms (")?;
        let steps = self.0.iter().filter_map(|(name, (sum, count))| {
            let step = name.strip_prefix(STEP_SECONDS)?.split('"').nth(1)?;
            (*count > 0.0).then(|| format!("{step} {:.2}", 1e3 * sum / count))
        });
        write!(f, "{})", steps.collect::<Vec<_>>().join(", "))?;
        let (events, ms) = (self.mean(PUBLISHED_EVENTS), 1e3 * self.mean(PUBLISH_SECONDS));
        // Without a relay there is nothing to tell.
        if events.is_nan() {
            Ok(())
        } else {
            write!(f, "; published {events:.1} at a time in {ms:.2} ms")
        }
    }
}
