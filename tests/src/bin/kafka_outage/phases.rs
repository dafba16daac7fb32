//! What is seen while it goes on, and what it comes to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use marquee_tests::{
    Marquee,
    load::{Load, Told},
    until,
};
use tokio::time::{Instant, sleep_until};

const BETWEEN_LINES: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    WarmUp,
    Before,
    Away,
    /// The broker's own start.
    Starting,
    After,
}

/// Prints a line every ten seconds, and remembers when each phase began.
pub struct Watch<'a> {
    marquee: &'a Marquee,
    done: Arc<AtomicUsize>,
    started: Instant,
    phases: Vec<(Phase, Instant)>,
    next_line: Instant,
    /// With the phase that it was seen in.
    resident_bytes: Vec<(Phase, u64)>,
}

impl<'a> Watch<'a> {
    pub fn start(marquee: &'a Marquee, load: &Load) -> Self {
        let now = Instant::now();
        println!("| second | phase | commands so far | memory | events not on Kafka |");
        println!("|---|---|---|---|---|");
        Self {
            marquee,
            done: load.counter(),
            started: now,
            phases: vec![(Phase::WarmUp, now)],
            next_line: now + BETWEEN_LINES,
            resident_bytes: Vec::new(),
        }
    }

    pub fn enter(&mut self, phase: Phase) {
        if self.phase() != phase {
            self.phases.push((phase, Instant::now()));
        }
    }

    fn phase(&self) -> Phase {
        self.phases.last().expect("it begins with one").0
    }

    /// So much of `phase`.
    pub async fn go_on(&mut self, phase: Phase, lasting: Duration) {
        self.enter(phase);
        let end = Instant::now() + lasting;
        while self.next_line <= end {
            sleep_until(self.next_line).await;
            self.line().await;
        }
        sleep_until(end).await;
    }

    async fn line(&mut self) {
        while self.next_line <= Instant::now() {
            self.next_line += BETWEEN_LINES;
        }
        let bytes = self.marquee.command_api.resident_bytes();
        self.resident_bytes.push((self.phase(), bytes));
        let head = self.marquee.database.head().await;
        println!(
            "| {:.0} | {:?} | {} | {:.1} MiB | {} |",
            self.started.elapsed().as_secs_f64(),
            self.phase(),
            self.done.load(Ordering::SeqCst),
            mebibytes(bytes),
            match self.published().await {
                Some(position) => head.saturating_sub(position).to_string(),
                None => "more and more".to_owned(),
            },
        );
    }

    async fn published(&self) -> Option<u64> {
        self.marquee.command_api.check("relay").await?["position"].as_u64()
    }

    pub async fn until_caught_up(&self, position: u64) {
        until(&format!("Kafka has position {position}"), async || {
            (self.published().await? >= position).then_some(())
        })
        .await;
    }

    /// The phases side by side. A command belongs to the phase that it was due in.
    pub fn report(&self, told: &[Told]) {
        println!("\n| | commands | p50 | p99 | longest | memory |\n|---|---|---|---|---|---|");
        for (index, (phase, from)) in self.phases.iter().enumerate() {
            let until = self.phases.get(index + 1).map(|(_, until)| *until);
            // Microseconds, up to the minute in which a command has to be acknowledged.
            let mut latency =
                Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("in order");
            let due = told
                .iter()
                .filter(|told| told.due >= *from && until.is_none_or(|until| told.due < until));
            for told in due {
                latency.saturating_record(u64::try_from(told.took.as_micros()).unwrap_or(u64::MAX));
            }
            #[expect(clippy::cast_precision_loss, reason = "less than a day")]
            let ms = |micros: u64| micros as f64 / 1_000.0;
            println!(
                "| {phase:?} | {} | {:.2} ms | {:.2} ms | {:.1} ms | {} |",
                latency.len(),
                ms(latency.value_at_quantile(0.5)),
                ms(latency.value_at_quantile(0.99)),
                ms(latency.max()),
                self.memory_in(*phase),
            );
        }
    }

    fn memory_in(&self, phase: Phase) -> String {
        let seen = self.resident_bytes.iter().filter(|(of, _)| *of == phase);
        let seen: Vec<u64> = seen.map(|(_, bytes)| *bytes).collect();
        match (seen.iter().min(), seen.iter().max()) {
            (Some(least), Some(most)) => {
                format!("{:.1} to {:.1} MiB", mebibytes(*least), mebibytes(*most))
            }
            _ => "-".to_owned(),
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    let kibibytes = u32::try_from(bytes >> 10).expect("less than 4 TiB");
    f64::from(kibibytes) / 1024.0
}
