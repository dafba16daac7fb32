//! How far it is, on stderr: a bar with the time that is left for people, lines now and then for logs.

use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::range::Range;

const LINE_INTERVAL: Duration = Duration::from_secs(10);
const BAR: &str = "{elapsed_precise} [{wide_bar}] {pos}/{len} positions, {per_sec}, {eta} to go";

/// Cheap to clone; all clones are one bar.
#[derive(Debug, Clone)]
pub struct Progress {
    bar: ProgressBar,
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
    /// `position` is the last that an interrupted replay had written.
    pub fn new(range: &Range, position: u64) -> Self {
        let done = position + 1 - range.first;
        let terminal = stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(5)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(range.positions()), target)
            .with_position(done)
            .with_style(ProgressStyle::with_template(BAR).unwrap_or_else(|_| {
                // The template is a constant; a bar of another look would do as well.
                ProgressStyle::default_bar()
            }));
        bar.reset_eta();
        let now = Instant::now();
        let lines = (!terminal).then_some(Lines { started: now, last: now, begun_at: done });
        Self { bar, lines }
    }

    /// So many positions of the range are written.
    pub fn reached(&mut self, done: u64) {
        self.bar.set_position(done);
        let Some(lines) = &mut self.lines else { return };
        if lines.last.elapsed() < LINE_INTERVAL {
            return;
        }
        lines.last = Instant::now();
        let total = self.bar.length().unwrap_or(done);
        let per_second = (done - lines.begun_at) / lines.started.elapsed().as_secs().max(1);
        let left = Duration::from_secs((total - done).checked_div(per_second).unwrap_or(0));
        eprintln!("{done} of {total} positions, {per_second}/s, {} to go", HumanDuration(left));
    }

    /// A line for people, beside the bar.
    pub fn note(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
