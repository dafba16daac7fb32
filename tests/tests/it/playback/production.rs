//! The production edge's configuration, which nobody runs here: nginx takes it, and what matters of it is what the tests' edges have.

use std::{fs, process::Command};

use marquee_tests::{
    edge::run,
    samples,
    servers::{binaries, repository, servers, tool},
};

/// What of it belongs to a machine, and what it is here.
fn on_this_machine(configuration: &str, folder: &str, tls: &str) -> String {
    let mut text = configuration.to_owned();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/{what};\n"));
    for (there, here) in [
        ("user www-data;\n", String::new()),
        ("http {\n", format!("http {{\n{}", temporary.concat())),
        ("/run/nginx.pid", format!("{folder}/nginx.pid")),
        ("/var/log/nginx", folder.to_owned()),
        ("/dev/shm/marquee-tokens", format!("{folder}/tokens")),
        ("/etc/marquee/tls/fullchain.pem", format!("{tls}/server.pem")),
        ("/etc/marquee/tls/privkey.pem", format!("{tls}/server.key")),
        ("/etc/marquee/ingest-secret.conf", format!("{folder}/ingest-secret.conf")),
        ("root /srv/marquee", format!("root {folder}")),
    ] {
        assert!(text.contains(there), "{there} is in nginx.conf");
        text = text.replace(there, &here);
    }
    text
}

#[test]
fn nginx_takes_the_production_configuration() {
    let folder = binaries().join("marquee-tests").join(format!("production-{}", samples::tag()));
    let source = repository().join("infra/edge");
    fs::create_dir_all(&folder).expect("a folder can be made below target/");
    for file in ["http.conf", "playback.conf", "verifying.conf"] {
        fs::copy(source.join(file), folder.join(file)).expect("it is there");
    }
    let tls = servers().ca_file.parent().expect("a file is in a folder");
    let text = fs::read_to_string(source.join("nginx.conf")).expect("it is there");
    let text = on_this_machine(&text, &folder.to_string_lossy(), &tls.to_string_lossy());
    let secret = "map $http_x_marquee_ingest $is_ingest { \"a secret\" 1; default 0; }\n";
    fs::write(folder.join("ingest-secret.conf"), secret).expect("a file can be written");
    fs::write(folder.join("nginx.conf"), text).expect("a file can be written");

    let mut nginx = Command::new(tool("nginx"));
    nginx.args(["-t", "-e", "stderr", "-p"]).arg(&folder);
    run(nginx.arg("-c").arg(folder.join("nginx.conf")));
    fs::remove_dir_all(&folder).expect("what was made can be removed");
}
