//! A TCP proxy before MySQL: it counts what the server sends, and can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use url::Url;

pub struct Proxy {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    cut: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Before the server of this URL.
    pub async fn before(url: &str) -> Self {
        let server = Url::parse(url).unwrap().socket_addrs(|| None).unwrap()[0];
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let cut = CancellationToken::new();
        let accepting = tokio::spawn({
            let (received, cut) = (Arc::clone(&received), cut.clone());
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let forward = forward(client, server, Arc::clone(&received));
                    tokio::spawn(cut.clone().run_until_cancelled_owned(forward));
                }
            }
        });
        Self { address, received, cut, accepting }
    }

    /// The same URL, by way of here.
    pub fn url(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap();
        url.set_ip_host(self.address.ip()).unwrap();
        url.set_port(Some(self.address.port())).unwrap();
        url.into()
    }

    /// Bytes that came from the server.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// All connections end, and new ones as soon as they are made.
    pub fn cut(&self) {
        self.cut.cancel();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut.cancel();
    }
}

async fn forward(
    client: TcpStream,
    server: SocketAddr,
    received: Arc<AtomicU64>,
) -> std::io::Result<()> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    client.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            received.fetch_add(read as u64, Ordering::SeqCst);
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! {
        done = copy(&mut from_client, &mut to_server) => done.map(drop),
        done = answers => done,
    }
}
