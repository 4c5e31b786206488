//! A name with several addresses: each is looked at and judged on its own.

use crate::support::scan::{start, watch};
use crate::support::tls::pair;
use crate::support::{Scratch, Server, free_port, program};
use std::process::{Command, Stdio};

const NAME: &str = "two.probity.example";

/// A command in a world of its own, where the file of host names says this. Needs no server of names.
fn with_hosts(scratch: &Scratch, hosts: &str, inner: &Command) -> Option<Command> {
    let unshare = program("unshare")?;
    let file = scratch.write("hosts", hosts);
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    let mut command = Command::new(unshare);
    command.args(["-r", "-m", "sh", "-c", script]).arg(file);
    let possible = Command::new("unshare").args(["-r", "-m", "true"]).stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system lets nobody have a mount of his own");
        return None;
    }
    command.arg(inner.get_program()).args(inner.get_args()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(command)
}

#[test]
fn one_bad_address_of_a_name_fails_there_alone() {
    let (Some(nginx), Some(_)) = (program("nginx"), program("openssl")) else { return };
    let scratch = Scratch::new("addresses");
    let (key, pem) = pair(&scratch, "rsa");
    let (port, folder) = (free_port(), scratch.path().display());
    let server = |address: &str, versions: &str| {
        format!(
            "server {{ listen {address}:{port} ssl; ssl_certificate {}; ssl_certificate_key {};
               ssl_protocols {versions}; ssl_ciphers ALL:@SECLEVEL=0; location / {{ return 200 x; }} }}",
            pem.display(),
            key.display()
        )
    };
    let good = server("127.0.0.1", "TLSv1.2 TLSv1.3");
    let bad = server("127.0.0.2", "TLSv1 TLSv1.2 TLSv1.3");
    let text = format!(
        "daemon off; pid {folder}/pid; worker_processes 1; events {{}}
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
           fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; {good} {bad} }}"
    );
    let file = scratch.write("nginx.conf", text);
    let mut command = Command::new(nginx);
    command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
    let _server = Server::start(&mut command, port);

    let configuration = format!("targets: [{{ id: shop, kind: endpoint, address: '{NAME}:{port}' }}]\n");
    let report = scratch.path().join("report.json");
    let mut inner = start(&scratch, &configuration);
    inner.args(["-o", "table", "-o", &format!("json={}", report.display())]);
    let hosts = format!("127.0.0.2 {NAME}\n127.0.0.1 {NAME}\n");
    let Some(command) = with_hosts(&scratch, &hosts, &inner) else { return };
    let ran = watch(command, &report, None);
    assert_eq!(ran.code, Some(1), "{}", ran.printed);

    let parts = [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")];
    let of = |check: &str| -> Vec<(String, String, String)> {
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let results = ran.report["results"].as_array().unwrap().iter().filter(|result| result["check"] == check);
        results.map(|result| (word(&result["part"]), word(&result["item"]), word(&result["status"]))).collect()
    };
    let legacy = of("tls.protocols.legacy");
    let failed: Vec<_> = legacy.iter().filter(|(_, _, status)| status == "fail").collect();
    assert_eq!(failed, [&(parts[1].clone(), "TLSv1.0".to_owned(), "fail".to_owned())], "{legacy:?}");
    assert!(legacy.iter().any(|(part, _, status)| *part == parts[0] && status == "pass"), "{legacy:?}");
    // The other checks judge each address, too.
    for check in ["tls.only", "tls.grade"] {
        let seen: Vec<String> = of(check).into_iter().map(|(part, _, _)| part).collect();
        assert_eq!(seen, parts, "{check}");
    }
    let findings = ran.report["findings"].as_array().unwrap();
    let named: Vec<_> = findings.iter().filter(|finding| finding["check"] == "tls.protocols.legacy").collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0]["part"], parts[1].as_str());
    // A reader of the terminal learns which address it is.
    let line = ran.printed.lines().find(|line| {
        line.contains("TLSv1.0") && line.contains("offered") || line.contains(&format!("shop {}", parts[1]))
    });
    assert!(line.is_some_and(|line| line.contains(&parts[1])), "{}", ran.printed);
    assert!(ran.printed.contains(&parts[0]));
}
