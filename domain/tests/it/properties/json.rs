//! What goes into the log as JSON comes out as it was.

use std::fmt::Debug;

use marquee_domain::{Movie, MovieEvent, evolve, values::StreamFacts};
use proptest::{collection::vec, prelude::*};
use serde::{Serialize, de::DeserializeOwned};

use super::{arbitrary_events::event, commands::steps, histories::live};
use crate::given::probe_of;

/// As text, and as a tree whose numbers and order are all that MySQL keeps.
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: &T,
) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(value).unwrap();
    prop_assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{}", text);

    let tree = serde_json::to_value(value).unwrap();
    prop_assert_eq!(&serde_json::from_value::<T>(tree.clone()).unwrap(), value, "{}", tree);
    prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), tree);
    Ok(())
}

proptest! {
    #[test]
    fn any_event_comes_back_as_it_was(event in event()) {
        comes_back(&event)?;
    }

    #[test]
    fn every_event_of_an_accepted_history_comes_back_as_it_was(steps in steps()) {
        for event in &live(steps).events {
            comes_back::<MovieEvent>(event)?;
        }
    }

    #[test]
    fn any_state_comes_back_as_it_was(events in vec(event(), 0..40)) {
        let mut movie = Movie::default();
        comes_back(&movie)?;
        for event in &events {
            evolve(&mut movie, event);
        }
        comes_back(&movie)?;
    }

    #[test]
    fn the_state_of_an_accepted_history_comes_back_as_it_was(steps in steps()) {
        comes_back(&live(steps).movie)?;
    }

    /// Whatever a playlist claims, its facts are numbers that every reader of JSON has exactly.
    #[test]
    fn facts_of_any_probe_come_back_as_they_were(seconds in vec(any::<f64>(), 1..4)) {
        let facts = StreamFacts::from(&probe_of(&seconds));
        prop_assert!(facts.measured_duration_ms < 1 << 53);
        prop_assert!(facts.shortest_variant_ms.is_none_or(|ms| ms < facts.measured_duration_ms));
        comes_back(&facts)?;
    }
}
