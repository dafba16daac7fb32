//! A TCP proxy between a service and a server, which can cut, refuse, stall, and lose the answer to a COMMIT.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

const CHUNK_BYTES: usize = 16 * 1024;

/// What happens to traffic, that of open connections too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// Connections end, and new ones end at once.
    Cut,
    /// Connections stay open, and nothing passes: a server that hangs, a network that swallows.
    Stalled,
}

#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    lost_commits: Arc<AtomicUsize>,
    unsent_commits: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl ChaosProxy {
    /// Listens for connections to `server` (`host:port`).
    pub async fn start(server: &str, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        Self::start_at(listener, server, weather)
    }

    /// The same at an address that others have been told of.
    pub fn start_at(listener: TcpListener, server: &str, weather: Weather) -> Self {
        let address = listener.local_addr().expect("a listener has an address");
        let (weather, now) = watch::channel(weather);
        let (lost_commits, unsent_commits) = (Arc::default(), Arc::default());
        let link = Link {
            server: server.to_owned(),
            weather: now,
            lost_commits: Arc::clone(&lost_commits),
            unsent_commits: Arc::clone(&unsent_commits),
        };
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(link.clone().carry(client));
            }
        });
        Self { address, weather, lost_commits, unsent_commits, accepting }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// The next `count` COMMITs reach MySQL, which carries them out; instead of its answer the client gets the end of
    /// the connection.
    pub fn lose_answers_to_commits(&self, count: usize) {
        self.lost_commits.store(count, Ordering::SeqCst);
    }

    /// The next `count` COMMITs never reach MySQL; the connection ends.
    pub fn cut_before_commits(&self, count: usize) {
        self.unsent_commits.store(count, Ordering::SeqCst);
    }

    /// How many of them are still to come.
    pub fn commits_to_break(&self) -> usize {
        self.lost_commits.load(Ordering::SeqCst) + self.unsent_commits.load(Ordering::SeqCst)
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.weather.send_replace(Weather::Cut);
    }
}

#[derive(Debug, Clone)]
struct Link {
    server: String,
    weather: watch::Receiver<Weather>,
    lost_commits: Arc<AtomicUsize>,
    unsent_commits: Arc<AtomicUsize>,
}

impl Link {
    /// Both connections end when this does, whichever way.
    async fn carry(self, mut client: TcpStream) {
        let mut weather = self.weather.clone();
        tokio::select! {
            _ = weather.wait_for(|weather| *weather == Weather::Cut) => {}
            _ = async {
                let mut server = TcpStream::connect(&self.server).await?;
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                let swallow = AtomicBool::new(false);
                tokio::try_join!(
                    self.pass_commands(from_client, to_server, &swallow),
                    self.pass_answers(from_server, to_client, &swallow),
                )
            } => {}
        }
    }

    async fn pass_commands(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        swallow: &AtomicBool,
    ) -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let length = from.read(&mut chunk).await?;
            self.fair_weather().await?;
            let bytes = &chunk[..length];
            if bytes.is_empty() {
                return Err(ended());
            }
            if is_commit(bytes) && take_one(&self.unsent_commits) {
                return Err(ended());
            }
            if is_commit(bytes) && take_one(&self.lost_commits) {
                swallow.store(true, Ordering::SeqCst);
            }
            to.write_all(bytes).await?;
        }
    }

    async fn pass_answers(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        swallow: &AtomicBool,
    ) -> std::io::Result<()> {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let length = from.read(&mut chunk).await?;
            self.fair_weather().await?;
            // What was to be swallowed has arrived: MySQL has committed.
            if length == 0 || swallow.load(Ordering::SeqCst) {
                return Err(ended());
            }
            to.write_all(&chunk[..length]).await?;
        }
    }

    async fn fair_weather(&self) -> std::io::Result<()> {
        let mut weather = self.weather.clone();
        let fair = weather.wait_for(|weather| *weather == Weather::Fair).await;
        fair.map(drop).map_err(|_| ended())
    }
}

/// A MySQL packet with the command `COM_QUERY` and this text.
fn is_commit(bytes: &[u8]) -> bool {
    bytes.len() == 11 && bytes.ends_with(b"\x03COMMIT")
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn ended() -> std::io::Error {
    std::io::ErrorKind::ConnectionAborted.into()
}
