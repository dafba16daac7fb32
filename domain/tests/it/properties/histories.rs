//! Random lives of a movie, decided step by step.

use marquee_domain::{Movie, MovieCommand, MovieError, MovieEvent, decide, evolve, movie::Trigger};
use proptest::prelude::*;

use super::{
    commands::{Step, steps},
    invariants::{broken_by, broken_on_the_way},
};

/// What came of a life: its events, and the refusals on the way.
#[derive(Debug, Default)]
pub struct Life {
    pub events: Vec<MovieEvent>,
    pub refusals: Vec<MovieError>,
    pub movie: Movie,
}

pub fn live(steps: Vec<Step>) -> Life {
    let mut life = Life::default();
    for Step { command, context } in steps {
        match decide(&life.movie, command, &context) {
            Ok(events) => {
                for event in events {
                    evolve(&mut life.movie, &event);
                    life.events.push(event);
                }
            }
            Err(refusal) => life.refusals.push(refusal),
        }
    }
    life
}

/// Asks for a state, so that asking again asks for nothing.
fn sets(command: &MovieCommand) -> bool {
    match command {
        MovieCommand::Revise(_)
        | MovieCommand::SetVisibility(_)
        | MovieCommand::AttachStreamSource(_)
        | MovieCommand::RecordStreamValidation(_, _, Trigger::Schedule)
        | MovieCommand::PromoteStreamSource(_)
        | MovieCommand::AddCaptionTrack(_)
        | MovieCommand::ReplaceCaptionTrack(_)
        | MovieCommand::RecordCaptionValidation(_, _, Trigger::Schedule)
        | MovieCommand::SetDefaultCaption(_) => true,
        MovieCommand::Create(_)
        | MovieCommand::Remove
        | MovieCommand::RecordStreamValidation(_, _, Trigger::Request)
        | MovieCommand::RecordCaptionValidation(_, _, Trigger::Request)
        | MovieCommand::DetachStreamSource(_)
        | MovieCommand::RemoveCaptionTrack(_) => false,
    }
}

proptest! {
    /// Looked at after every single event, so that every prefix keeps the rules, and a reader that
    /// stops anywhere never sees a movie that cannot be.
    #[test]
    fn no_prefix_of_any_history_breaks_a_rule(steps in steps()) {
        let mut movie = Movie::default();
        for event in live(steps).events {
            let before = movie.clone();
            evolve(&mut movie, &event);
            let broken = broken_on_the_way(&before, &event, &movie);
            prop_assert!(broken.is_empty(), "{broken:?} by {event:?}");
            if let Some(listed) = movie.listed() {
                let broken = broken_by(listed);
                prop_assert!(broken.is_empty(), "{broken:?} after {event:?}");
            }
        }
    }

    #[test]
    fn what_is_set_already_is_not_set_again(steps in steps()) {
        let mut movie = Movie::default();
        for Step { command, context } in steps {
            let Ok(events) = decide(&movie, command.clone(), &context) else { continue };
            for event in &events {
                evolve(&mut movie, event);
            }
            if sets(&command) {
                let mut later = context;
                later.now += chrono::TimeDelta::seconds(1);
                prop_assert_eq!(decide(&movie, command.clone(), &later), Ok(vec![]), "{:?}", command);
            }
        }
    }

    /// Every event says when and by whom: who gave the command, at its time.
    #[test]
    fn every_event_is_stamped_by_its_command(steps in steps()) {
        let mut movie = Movie::default();
        for Step { command, context } in steps {
            for event in decide(&movie, command, &context).unwrap_or_default() {
                evolve(&mut movie, &event);
                if let Some(listed) = movie.listed() {
                    prop_assert_eq!(listed.updated_at, context.now);
                    prop_assert_eq!(listed.updated_by, context.actor);
                }
            }
        }
    }
}
