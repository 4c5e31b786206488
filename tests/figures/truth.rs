//! What a server accepts, asked by a client that is not ours.

use crate::support::{Scratch, lab};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// How many suites of each version a server on this port accepts, asked one by one by the client of this version of
/// Node.js, from 10 on: the truth by a stack that is not ours. `None` where the lab lacks it.
pub fn accepted(scratch: &Scratch, version: &str, port: u16) -> Option<BTreeMap<String, usize>> {
    let program = lab::program(version)?;
    let rows = probity::catalogue::registry::suites().iter();
    let names: BTreeSet<&str> = rows.map(|row| row.openssl_name.as_str()).filter(|name| !name.is_empty()).collect();
    let settings = scratch.write("client.json", serde_json::json!({ "port": port, "names": names }).to_string());
    let script = scratch.write("client.js", CLIENT);
    let output = Command::new(program).arg(script).arg(settings).output().unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

const CLIENT: &str = "
const tls = require('tls'), fs = require('fs');
const { port, names } = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const connects = (version, name) => new Promise(resolve => {
  const modern = version === 'TLSv1.3';
  const end = answer => { socket && socket.destroy(); resolve(answer); };
  let socket;
  try {
    socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, minVersion: version, maxVersion: version,
      ciphers: modern ? name : name + ':@SECLEVEL=0' });
  } catch (error) { return resolve(false); }
  socket.on('error', () => end(false));
  socket.on('secureConnect', () => end(socket.getCipher().name === name));
  socket.setTimeout(5000, () => end(false));
});
(async () => {
  const found = {};
  for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']) {
    const label = version === 'TLSv1' ? 'TLSv1.0' : version;
    for (const name of names) {
      if (name.startsWith('TLS_') !== (version === 'TLSv1.3')) continue;
      if (await connects(version, name)) found[label] = (found[label] || 0) + 1;
    }
  }
  console.log(JSON.stringify(found));
})();
";
