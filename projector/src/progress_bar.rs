//! How far a long command is, on stderr: a bar with the time that is left for people, lines now and
//! then for logs.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_INTERVAL: Duration = Duration::from_secs(10);
const BAR: &str = "{elapsed_precise} [{wide_bar}] {pos}/{len} {msg}, {per_sec}, {eta} to go";

/// Cheap to clone; all clones are one bar.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
    /// What is counted.
    unit: &'static str,
    lines: Option<Lines>,
}

#[derive(Debug, Clone)]
struct Lines {
    started: Instant,
    last: Instant,
    /// Where it went on from.
    begun_at: u64,
}

impl Progress {
    /// `done` of `total` were done before, by a run that was interrupted.
    pub fn new(unit: &'static str, total: u64, done: u64) -> Self {
        let terminal = stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target)
            .with_position(done)
            .with_message(unit)
            .with_style(ProgressStyle::with_template(BAR).unwrap_or_else(|_| {
                // The template is a constant; a bar of another look would do as well.
                ProgressStyle::default_bar()
            }));
        bar.reset_eta();
        let now = Instant::now();
        let lines = (!terminal).then_some(Lines { started: now, last: now, begun_at: done });
        Self { bar, unit, lines }
    }

    /// There is more to do than was known.
    pub fn extend(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// So many are done.
    pub fn reached(&mut self, done: u64) {
        self.bar.set_position(done);
        let Some(lines) = &mut self.lines else { return };
        if lines.last.elapsed() < LINE_INTERVAL {
            return;
        }
        lines.last = Instant::now();
        let total = self.bar.length().unwrap_or(done);
        let per_second = (done - lines.begun_at) / lines.started.elapsed().as_secs().max(1);
        let left = total.saturating_sub(done).checked_div(per_second).unwrap_or(0);
        let left = HumanDuration(Duration::from_secs(left));
        eprintln!("{done} of {total} {}, {per_second}/s, {left} to go", self.unit);
    }

    /// A line for people, beside the bar.
    pub fn note(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
