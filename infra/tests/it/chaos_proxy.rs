//! A TCP proxy that does to a connection what networks do: refuses it, cuts it at a chosen moment,
//! holds it without closing.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinHandle,
};

/// What to do, once, when the client sends these bytes.
#[derive(Debug, Clone, Copy)]
pub enum Cut {
    /// The server never sees them.
    BeforeSending(&'static [u8]),
    /// The server sees them; the client never sees its answer.
    BeforeAnswering(&'static [u8]),
    /// The server does not see them before `release`; both connections stay open.
    Hold(&'static [u8]),
}

/// Forwards connections to one server until it is dropped.
pub struct ChaosProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    server: SocketAddr,
    refusing: AtomicBool,
    plan: Mutex<Option<Cut>>,
    cuts: AtomicUsize,
    held: watch::Sender<bool>,
    release: Notify,
    /// Counts up when all connections are to be cut.
    generation: watch::Sender<u64>,
}

impl ChaosProxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server,
            refusing: AtomicBool::new(false),
            plan: Mutex::new(None),
            cuts: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            release: Notify::new(),
            generation: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connections are closed at once.
    pub fn refuse_connections(&self) {
        self.shared.refusing.store(true, Ordering::SeqCst);
    }

    pub fn accept_connections(&self) {
        self.shared.refusing.store(false, Ordering::SeqCst);
    }

    /// Cuts, or holds, the first connection on which the client sends the bytes.
    pub fn cut_at(&self, cut: Cut) {
        *self.shared.plan.lock().unwrap() = Some(cut);
    }

    /// How many planned cuts have happened.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Cuts all connections that are open now.
    pub fn cut_all(&self) {
        self.shared.generation.send_modify(|generation| *generation += 1);
    }

    /// Waits until a connection is held.
    pub async fn held(&self) {
        self.shared.held.subscribe().wait_for(|held| *held).await.unwrap();
    }

    pub fn release(&self) {
        self.shared.release.notify_one();
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut_all();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.refusing.load(Ordering::SeqCst) {
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let mut generation = shared.generation.subscribe();
            tokio::select! {
                // Either end closing, or failing, ends both.
                _ = forward(client, &shared) => {}
                _ = generation.changed() => {}
            }
        });
    }
}

async fn forward(client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let server = TcpStream::connect(shared.server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let swallow = AtomicBool::new(false);
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            let sent = &buffer[..read];
            match shared.planned(sent) {
                None => {}
                Some(Cut::BeforeSending(_)) => return Ok(()),
                Some(Cut::BeforeAnswering(_)) => swallow.store(true, Ordering::SeqCst),
                Some(Cut::Hold(_)) => {
                    shared.held.send_replace(true);
                    shared.release.notified().await;
                }
            }
            to_server.write_all(sent).await?;
        }
    };
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 || swallow.load(Ordering::SeqCst) {
                return Ok(());
            }
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! { done = requests => done, done = answers => done }
}

impl Shared {
    /// The plan, if `sent` is what it waits for.
    fn planned(&self, sent: &[u8]) -> Option<Cut> {
        let mut plan = self.plan.lock().unwrap();
        let (Cut::BeforeSending(bytes) | Cut::BeforeAnswering(bytes) | Cut::Hold(bytes)) = (*plan)?;
        if !sent.windows(bytes.len()).any(|window| window == bytes) {
            return None;
        }
        self.cuts.fetch_add(1, Ordering::SeqCst);
        plan.take()
    }
}
