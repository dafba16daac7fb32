//! How far an audit is, on stderr: for a terminal, and for whoever reads a job's log.

use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Progress {
    shown: bool,
    stage: &'static str,
    done: u64,
    expected: u64,
    told_at: Instant,
}

impl Progress {
    pub fn new(shown: bool) -> Self {
        Self { shown, stage: "", done: 0, expected: 0, told_at: Instant::now() }
    }

    pub fn begin(&mut self, stage: &'static str, expected: u64) {
        (self.stage, self.done, self.expected) = (stage, 0, expected);
        self.tell();
    }

    pub fn moved(&mut self, number: usize) {
        self.done += number as u64;
        if self.told_at.elapsed() >= EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        self.told_at = Instant::now();
        if self.shown {
            eprintln!("{}: {} of about {}", self.stage, self.done, self.expected);
        }
    }
}
