//! Tokens in nginx's own dialect, before an nginx that decides by itself: with the configuration that
//! docs/stream-tokens.md gives, word for word.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use marquee_tests::{
    Marquee, Setup,
    edge::free_port,
    servers::{repository, tool},
    until,
};
use reqwest::StatusCode;
use serde_json::json;

const SECRET: &str = "a-secret-of-nginx-and-of-nobody-else";
const OTHER_SECRET: &str = "the-secret-of-a-key-that-signs-no-more";

/// An nginx with nothing but that configuration, which serves `content`.
struct Nginx {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Nginx {
    async fn start(content: &Path, folder: PathBuf) -> Self {
        let port = free_port();
        fs::create_dir_all(&folder).expect("a folder can be made");
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; {user} pid {folder}/pid; error_log {folder}/log crit;\n\
             events {{ worker_connections 64; }}\n\
             http {{\n access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n \
             fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             {map}\n server {{ listen 127.0.0.1:{port}; root {root};\n{location}\n\
             location / {{ return 404; }} }} }}\n",
            folder = folder.display(),
            root = content.display(),
            map = block("    map $sl_key")
                .replace("sl-1 \"...\";", &format!("sl-1 \"{SECRET}\"; sl-0 \"{OTHER_SECRET}\";")),
            location = block("    location ~ \"^/sl/"),
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).expect("a file can be written");
        let child = Command::new(tool("nginx"))
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self { child, port, folder };
        until("nginx listens", async || nginx.status("/").await.ok()).await;
        nginx
    }

    async fn status(&self, path: &str) -> Result<StatusCode, reqwest::Error> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        marquee_tests::client::http().get(url).send().await.map(|answer| answer.status())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It takes its workers along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The document's lines from this one to the one where all that it opens is closed.
fn block(begin: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/stream-tokens.md"));
    let text = text.expect("the document is there");
    let from = text.find(begin).unwrap_or_else(|| panic!("the document has no {begin}"));
    let mut lines = Vec::new();
    for line in text[from..].lines() {
        lines.push(line);
        // The braces of the regular expression come in pairs, too.
        let block = lines.concat();
        if block.matches('{').count() == block.matches('}').count() {
            break;
        }
    }
    lines.join("\n")
}

/// What no viewer's client would leave as it is.
fn tampered(signed: &str) -> Vec<String> {
    let mut tampered = Vec::new();
    // The first one is the slash that every path begins with.
    for (index, character) in signed.char_indices().skip(1) {
        let other = if character == 'a' { 'b' } else { 'a' };
        let mut changed = signed.to_owned();
        changed.replace_range(index..index + character.len_utf8(), &other.to_string());
        tampered.push(changed);
    }
    tampered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_s_own_module_takes_our_tokens_and_nothing_else() {
    let marquee = Marquee::prepare(Setup { edge: true, ..Setup::default() }).await;
    let folder = std::env::temp_dir().join(format!("{}nginx", marquee.prefix));
    let keys = folder.with_extension("toml");
    let ring = |id: &str, secret: &str| {
        format!(
            "[[cdn]]\nhosts = ['127.0.0.1']\ndialect = 'SECURE_LINK'\n\
             [[cdn.keys]]\nid = '{id}'\nsecret = '{secret}'\n"
        )
    };
    fs::write(&keys, ring("sl-1", SECRET)).expect("a file can be written");
    marquee.query_api.set("MARQUEE_STREAM_TOKEN_KEYS", "");
    marquee.query_api.set("MARQUEE_STREAM_TOKEN_KEYS_FILE", keys.to_str().expect("text"));
    marquee.query_api.set("MARQUEE_STREAM_TOKEN_TTL_SECONDS", "8");
    tokio::join!(
        marquee.command_api.start_ready(),
        marquee.projector.start_ready(),
        marquee.query_api.start_ready(),
    );
    let movie = marquee.admin().create_playable("By nginx alone").await;
    let queries = marquee.queries();
    let path = format!("/v1/movies/{}", movie.id);
    until("the movie is visible", async || {
        (queries.get(&path).send().await.status == 200).then_some(())
    })
    .await;
    let nginx = Nginx::start(&marquee.edge().content(), folder).await;
    let status = async |path: &str| nginx.status(path).await.expect("nginx answers").as_u16();
    let ask = async |session: &str| {
        let body = json!({ "session_id": session });
        let answer = queries.post(&format!("{path}/stream-tokens")).json(&body).send().await;
        let url = answer.expect(201).text_of("signed_url");
        url.strip_prefix(&marquee.media()).expect("it is the edge's host").to_owned()
    };

    let master = ask("tv-1").await;
    assert!(master.starts_with("/sl/sl-1/") && master.ends_with("/media/sample/-/master.m3u8"));
    let (signed, file) = master.split_once("/-/").expect("a mark");
    for open in [file, "180p/index.m3u8"] {
        assert_eq!(status(&format!("{signed}/-/{open}")).await, 200, "{open}");
    }
    // The directory that the token is not for has the same file.
    for shut in [
        signed.replace("/media/sample", "/media/feature"),
        signed.replace("/media/sample", "/media"),
        signed.replace("/sl-1/", "/sl-2/"),
        signed.replace("/sl-1/", "/sl-0/"),
    ] {
        assert_ne!(shut, signed);
        let path = format!("{shut}/-/{file}");
        assert_eq!(status(&path).await, 403, "{path}");
    }
    for out in ["/-/../../feature/master.m3u8", "/-/..%2f..%2ffeature/master.m3u8"] {
        assert_ne!(status(&format!("{signed}{out}")).await, 200, "{out}");
    }
    for changed in tampered(signed) {
        if changed != signed {
            let path = format!("{changed}/-/{file}");
            let status = status(&path).await;
            assert!([403, 404].contains(&status), "{path}: {status}");
        }
    }
    until("it expires", async || (status(&master).await == 403).then_some(())).await;

    // A key that nginx does not know has no secret, and an empty one opens nothing.
    fs::write(&keys, ring("sl-9", OTHER_SECRET)).expect("a file can be written");
    let unknown = until("the other key signs", async || {
        let master = ask(&marquee_tests::samples::tag()).await;
        master.starts_with("/sl/sl-9/").then_some(master)
    })
    .await;
    assert_eq!(status(&unknown).await, 403);
    fs::remove_file(&keys).expect("it is there");
}
