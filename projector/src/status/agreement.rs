//! Whether log, Kafka and read models agree, as far as their ends tell. `projector audit` looks at
//! all that is in them.

use super::Status;

/// The last position of each.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    pub log_head: u64,
    pub published: Option<u64>,
    pub projected: u64,
}

impl Ends {
    /// What lies further down the way is never ahead.
    pub fn contradiction(self) -> Option<String> {
        let Self { log_head, published, projected } = self;
        let published = published.unwrap_or(0);
        let mut found = Vec::new();
        if projected > log_head {
            found.push(format!(
                "position {projected} was projected, the event log ends at {log_head}"
            ));
        }
        if published > log_head {
            found.push(format!(
                "position {published} was published, the event log ends at {log_head}"
            ));
        }
        (!found.is_empty()).then(|| found.join("; "))
    }

    pub fn differences(
        self,
        lag_events: i64,
        parked_records: i64,
        parked_movies: i64,
    ) -> Vec<String> {
        let Self { log_head, published, projected } = self;
        let mut found = Vec::new();
        match published {
            Some(published) if published < log_head => {
                found.push(format!("{} events of the log are not in Kafka", log_head - published));
            }
            None if log_head > 0 => found.push("nobody knows what the relay published".to_owned()),
            Some(_) | None => {}
        }
        if lag_events > 0 {
            found.push(format!("{lag_events} records in Kafka are not projected"));
        } else if projected < published.unwrap_or(0) {
            found.push(format!(
                "nothing waits in Kafka, but positions from {} on are not in the read models",
                projected + 1
            ));
        }
        if parked_records > 0 {
            found.push(format!(
                "parked records: {parked_records}, movies that lag for it: {parked_movies}"
            ));
        }
        found
    }
}

impl Status {
    /// In one line.
    pub fn agreement(&self) -> String {
        match &self.contradiction {
            Some(contradiction) => format!("CONTRADICTION: {contradiction}"),
            None if self.agree => "yes".to_owned(),
            None => format!("not yet: {}", self.differences.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ends(log_head: u64, published: Option<u64>, projected: u64) -> Ends {
        Ends { log_head, published, projected }
    }

    #[test]
    fn they_agree_when_all_are_at_the_same_place_and_nothing_is_parked() {
        for agreeing in [ends(0, None, 0), ends(9, Some(9), 9)] {
            assert_eq!(agreeing.contradiction(), None);
            assert_eq!(agreeing.differences(0, 0, 0), [""; 0]);
        }
    }

    #[test]
    fn each_way_to_be_behind_is_told() {
        for (ends, lag, parked, expected) in [
            (ends(9, Some(7), 7), 0, 0, "2 events of the log are not in Kafka"),
            (ends(9, None, 9), 0, 0, "nobody knows what the relay published"),
            (ends(9, Some(9), 7), 2, 0, "2 records in Kafka are not projected"),
            (ends(9, Some(9), 7), 0, 0, "positions from 8 on are not in the read models"),
            (ends(9, Some(9), 9), 0, 3, "parked records: 3, movies that lag for it: 1"),
        ] {
            let found = ends.differences(lag, parked, parked.min(1));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].ends_with(expected), "{found:?}");
            assert_eq!(ends.contradiction(), None);
        }
    }

    #[test]
    fn what_cannot_be_is_a_contradiction() {
        let projected = ends(3, Some(3), 4).contradiction().unwrap();
        assert_eq!(projected, "position 4 was projected, the event log ends at 3");
        let published = ends(3, Some(4), 3).contradiction().unwrap();
        assert_eq!(published, "position 4 was published, the event log ends at 3");
    }
}
