//! Log lines on their way out: gathered by the threads that log, written many at a time by one.
//!
//! A line costs whoever logs it a copy, and neither a system call nor the waking of another thread:
//! with tens of thousands of lines a second, that is what requests would wait for.

use std::{
    io::{self, Write},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait. One that warns does not.
const FLUSH_INTERVAL: Duration = Duration::from_millis(20);
/// A thread that has logged more meanwhile writes it by itself: what waits is bounded, and nothing is
/// dropped.
const MAX_WAITING_BYTES: usize = 256 * 1_024;
/// At least as many as threads that log much.
const SHARDS: usize = 8;

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Threads that log at the same time are not to wait for each other.
    static SHARD: usize = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

#[derive(Debug)]
struct Lines<W> {
    shards: [Mutex<Vec<u8>>; SHARDS],
    output: Mutex<W>,
}

/// Where a subscriber writes its lines.
#[derive(Debug)]
pub(super) struct LineSink<W>(Arc<Lines<W>>);

/// The thread that writes. When this is dropped, what still waits is written: keep it until the end.
#[derive(Debug)]
pub struct LogWriter {
    thread: Option<JoinHandle<()>>,
    stopped: Arc<AtomicBool>,
}

pub(super) fn lines_to<W>(output: W) -> io::Result<(LineSink<W>, LogWriter)>
where
    W: Write + Send + 'static,
{
    let lines = Arc::new(Lines { shards: Default::default(), output: Mutex::new(output) });
    let stopped = Arc::new(AtomicBool::new(false));
    let (sink, stop) = (LineSink(Arc::clone(&lines)), Arc::clone(&stopped));
    let thread = thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
        let mut spare = Vec::new();
        loop {
            // Before the last look, so that nothing written until then is missed.
            let last = stop.load(Ordering::Acquire);
            for shard in &lines.shards {
                lines.flush(shard, &mut spare);
            }
            if last {
                break;
            }
            thread::park_timeout(FLUSH_INTERVAL);
        }
    })?;
    Ok((sink, LogWriter { thread: Some(thread), stopped }))
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic, and there is nobody left to tell.
            let _ = thread.join();
        }
    }
}

impl<W: Write> Lines<W> {
    /// The output is taken first, so that a thread's lines leave in order; the shard is let go of
    /// before they are written.
    fn flush(&self, shard: &Mutex<Vec<u8>>, spare: &mut Vec<u8>) {
        let mut output = lock(&self.output);
        mem::swap(&mut *lock(shard), spare);
        if !spare.is_empty() {
            // Where nothing can be logged, that cannot be logged either.
            let _ = output.write_all(spare).and_then(|()| output.flush());
            spare.clear();
        }
    }

    fn put(&self, line: &[u8], urgent: bool) {
        let shard = &self.shards[SHARD.with(|shard| *shard)];
        let waiting = {
            let mut shard = lock(shard);
            shard.extend_from_slice(line);
            shard.len()
        };
        if urgent || waiting > MAX_WAITING_BYTES {
            self.flush(shard, &mut Vec::new());
        }
    }
}

/// A line is there whole or not at all, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct OneLine<'a, W> {
    lines: &'a Lines<W>,
    urgent: bool,
}

impl<'a, W: Write + 'a> MakeWriter<'a> for LineSink<W> {
    type Writer = OneLine<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine { lines: &self.0, urgent: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        OneLine { lines: &self.0, urgent: *metadata.level() <= Level::WARN }
    }
}

/// A subscriber writes each line at once.
impl<W: Write> Write for OneLine<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.put(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_thread_s_lines_are_written_whole_and_in_order() {
        const THREADS: usize = 12;
        const LINES: usize = 20_000;
        let output = Output::default();
        let (sink, writer) = lines_to(output.clone()).unwrap();
        let sink = Arc::new(sink);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let sink = Arc::clone(&sink);
                scope.spawn(move || {
                    for line in 0..LINES {
                        let text = format!("{thread} {line} {}\n", "x".repeat(line % 50));
                        sink.make_writer().write_all(text.as_bytes()).unwrap();
                    }
                });
            }
        });
        drop(writer);
        let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        let mut next = [0; THREADS];
        for line in written.lines() {
            let mut words = line.split(' ');
            let thread: usize = words.next().unwrap().parse().unwrap();
            let number: usize = words.next().unwrap().parse().unwrap();
            assert_eq!(number, next[thread], "{line}");
            assert_eq!(words.next().unwrap().len(), number % 50, "{line}");
            next[thread] += 1;
        }
        assert_eq!(next, [LINES; THREADS]);
    }

    #[test]
    fn what_is_urgent_is_written_at_once() {
        let output = Output::default();
        let (sink, _writer) = lines_to(output.clone()).unwrap();
        sink.0.put(b"first\n", false);
        sink.0.put(b"urgent\n", true);
        assert_eq!(*output.0.lock().unwrap(), b"first\nurgent\n");
    }
}
