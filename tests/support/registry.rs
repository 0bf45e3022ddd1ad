//! A registry of images that asks for a password (the Docker Registry HTTP API V2, as much of it as a pull needs).

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIG: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// What stands at a path: its type and its bytes.
type Files = Arc<Mutex<BTreeMap<String, (&'static str, Vec<u8>)>>>;

/// The registry; it listens as long as the test's process runs.
pub struct Registry {
    port: u16,
    files: Files,
}

impl Registry {
    /// Starts one in the network that the caller is in.
    pub fn start(user: &str, password: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = Files::default();
        let served = Arc::clone(&files);
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (served, login) = (Arc::clone(&served), login.clone());
                // A client that goes away is the client's affair.
                std::thread::spawn(move || drop(serve(client, &served, &login)));
            }
        });
        Self { port, files }
    }

    /// What an image is called.
    pub fn reference(&self, name: &str, tag: &str) -> String {
        format!("127.0.0.1:{}/{name}:{tag}", self.port)
    }

    /// Offers an image whose one file holds a text, and says the manifest's digest.
    pub fn offer(&self, name: &str, tag: &str, text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("text"), text).unwrap();
        let tar = Command::new("tar").arg("-cC").arg(directory.path()).arg("text").output().unwrap();
        let layer = tar.stdout;
        let digest = |bytes: &[u8]| format!("sha256:{}", vsa::digest::sha256(bytes));
        let diff = digest(&layer);
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": { "Cmd": ["/text"] },
            "rootfs": { "type": "layers", "diff_ids": [diff] }, "history": [{ "created_by": "a test" }],
        });
        let config = config.to_string().into_bytes();
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "size": config.len(), "digest": digest(&config) },
            "layers": [{ "mediaType": LAYER, "size": layer.len(), "digest": diff }],
        });
        let manifest = manifest.to_string().into_bytes();
        let told = digest(&manifest);
        let mut files = self.files.lock().unwrap();
        files.insert(format!("/v2/{name}/blobs/{}", digest(&config)), ("application/octet-stream", config));
        files.insert(format!("/v2/{name}/blobs/{diff}"), ("application/octet-stream", layer));
        files.insert(format!("/v2/{name}/manifests/{told}"), (MANIFEST, manifest.clone()));
        files.insert(format!("/v2/{name}/manifests/{tag}"), (MANIFEST, manifest));
        told
    }
}

fn serve(mut client: TcpStream, files: &Files, login: &str) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
        // TLS is tried first.
        if head[0] == 0x16 {
            return client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let known = head.lines().any(|line| line.eq_ignore_ascii_case(&format!("authorization: Basic {login}")));
    let found = files.lock().unwrap().get(path).cloned();
    let (status, (kind, body)) = match found {
        _ if !known => ("401 Unauthorized", ("text/plain", Vec::new())),
        _ if path == "/v2/" => ("200 OK", ("application/json", b"{}".to_vec())),
        Some(file) => ("200 OK", file),
        None => ("404 Not Found", ("text/plain", Vec::new())),
    };
    let digest = vsa::digest::sha256(&body);
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: sha256:{digest}\r\n\
         WWW-Authenticate: Basic realm=\"test\"\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    client.write_all(answer.as_bytes())?;
    if method == "HEAD" { Ok(()) } else { client.write_all(&body) }
}
