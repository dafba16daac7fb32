//! The adapter that makes a `Movie` a cqrs-es aggregate. All rules are in `decide` and `evolve`.

use cqrs_es::{Aggregate, event_sink::EventSink};

use super::{Context, Movie, MovieCommand, MovieError, MovieEvent, decide::decide, evolve::evolve};

impl Aggregate for Movie {
    const TYPE: &'static str = "movie";
    type Command = MovieCommand;
    type Event = MovieEvent;
    type Error = MovieError;
    type Services = Context;

    async fn handle(
        &mut self,
        command: Self::Command,
        context: &Self::Services,
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in decide(self, command, context)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        evolve(self, &event);
    }
}
