//! The status for people.

use std::{collections::BTreeMap, fmt};

use super::{LaneStatus, Status};
use crate::catalog_topic::Standing;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let published = self.published_position.map_or("unknown".to_owned(), |at| at.to_string());
        writeln!(f, "event log ends at    {}", self.log_head)?;
        writeln!(f, "in Kafka up to       {published}")?;
        writeln!(f, "projected up to      {}", self.projected_position)?;
        writeln!(f, "events waiting       {}", self.lag_events)?;
        writeln!(f, "the oldest came      {}", ago(self.lag_events, self.lag_seconds))?;
        writeln!(
            f,
            "parked               {} records, {} movies; {} to be copied to the dead letters",
            self.parked_records, self.parked_movies, self.dead_letters_waiting
        )?;
        writeln!(f, "do all agree?        {}", self.agreement())?;
        let mut by_projection: BTreeMap<&str, Vec<&LaneStatus>> = BTreeMap::new();
        for lane in &self.lanes {
            by_projection.entry(&lane.checkpoint.projection).or_default().push(lane);
        }
        for (projection, lanes) in by_projection {
            writeln!(f, "\n{projection}")?;
            writeln!(f, "  partition   waiting      lag   next offset   position   moved")?;
            for lane in lanes {
                writeln!(f, "{lane}")?;
            }
        }
        writeln!(f, "\ncatalog topic\n  partition   waiting   position")?;
        for Standing { partition, published_position, waiting_movies } in &self.catalog_topic {
            let position = published_position.unwrap_or(0);
            writeln!(f, "  {partition:>9}  {waiting_movies:>8}  {position:>9}")?;
        }
        write!(f, "{}", self.rebuild)
    }
}

impl fmt::Display for LaneStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "no topic".to_owned();
        let waiting = self.lag_events.map_or_else(none, |waiting| waiting.to_string());
        let lag = self.lag_seconds.map_or_else(String::new, |lag| format!("{lag:.1} s"));
        let moved = self.age_seconds.map_or("never".to_owned(), |age| format!("{age} s ago"));
        write!(
            f,
            "  {:>9}  {waiting:>8}  {lag:>7}  {:>12}  {:>9}   {moved}",
            self.checkpoint.kafka_partition, self.checkpoint.next_offset, self.checkpoint.position
        )
    }
}

fn ago(events: i64, seconds: f64) -> String {
    if events == 0 { "-".to_owned() } else { format!("{seconds:.1} s ago") }
}
