//! Real servers of other protocols, each with TLS behind a request and the same suites: two of TLS 1.2, three of 1.3.

use super::{Scratch, Server, free_port, program, tls::pair};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The suites of TLS 1.2 that every server here is configured with.
pub const SUITES: [&str; 2] = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"];

/// What servers with GnuTLS are configured with: those two, ChaCha20 beside them, and the same three of TLS 1.3.
const GNUTLS: &str = "NONE:+VERS-TLS1.2:+VERS-TLS1.3:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:\
                      +GROUP-ALL:+SIGN-ALL:+COMP-NULL:+CTYPE-X509";

/// Running servers, and the port of each service by its word.
pub struct Services {
    pub ports: Vec<(&'static str, u16)>,
    _server: Server,
}

fn root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.starts_with(b"0\n")
}

/// My own user (`-un`) or group (`-gn`).
fn me(which: &str) -> String {
    String::from_utf8(Command::new("id").arg(which).output().unwrap().stdout).unwrap().trim().to_owned()
}

fn key_and_certificate(scratch: &Scratch) -> (String, String) {
    let (key, pem): (PathBuf, PathBuf) = pair(scratch, "rsa");
    // Servers give up their rights, and the folder of a test is no secret.
    open(scratch.path());
    (key.display().to_string(), pem.display().to_string())
}

fn open(folder: &Path) {
    Command::new("chmod").args(["-R", "a+rX"]).arg(folder).status().unwrap();
}

/// A Dovecot with all that it speaks.
pub fn dovecot(scratch: &Scratch) -> Option<Services> {
    let program = program("dovecot")?;
    let (key, pem) = key_and_certificate(scratch);
    let folder = scratch.path().display();
    let services = [
        ("imap", "imap-login", "imap"),
        ("pop3", "pop3-login", "pop3"),
        ("sieve", "managesieve-login", "sieve"),
        ("submission", "submission-login", "submission"),
        ("lmtp", "lmtp", "lmtp"),
    ];
    let ports: Vec<(&'static str, u16)> = services.iter().map(|(word, ..)| (*word, free_port())).collect();
    let (user, group) = (me("-un"), me("-gn"));
    let mut text = format!(
        "base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = {folder}/log\nlisten = 127.0.0.1\n\
         protocols = imap pop3 sieve lmtp submission\nssl = yes\nssl_cert = <{pem}\nssl_key = <{key}\n\
         ssl_min_protocol = TLSv1.2\nssl_cipher_list = {}\nssl_prefer_server_ciphers = yes\n\
         disable_plaintext_auth = yes\nhostname = mx.shop.example\nsubmission_relay_host = 127.0.0.1\n\
         mail_location = maildir:{folder}/mail\n\
         passdb {{\n  driver = static\n  args = password=x\n}}\nuserdb {{\n  driver = static\n  args = home={folder}\n}}\n",
        SUITES.join(":")
    );
    if !root() {
        text +=
            &format!("default_internal_user = {user}\ndefault_login_user = {user}\ndefault_internal_group = {group}\n");
        for service in ["anvil", "stats", "imap-urlauth-login"] {
            text += &format!("service {service} {{\n  chroot =\n}}\n");
        }
    }
    for ((_, service, listener), (_, port)) in services.iter().zip(&ports) {
        let chroot = if root() { "" } else { "  chroot =\n" };
        text += &format!("service {service} {{\n{chroot}  inet_listener {listener} {{\n    port = {port}\n  }}\n");
        // The ports that come of themselves are those of the system.
        for more in ["imaps", "pop3s", "submissions"].iter().filter(|more| **more == format!("{listener}s")) {
            text += &format!("  inet_listener {more} {{\n    port = 0\n  }}\n");
        }
        text += "}\n";
    }
    let file = scratch.write("dovecot.conf", text);
    let mut command = Command::new(program);
    command.arg("-F").arg("-c").arg(file);
    let mut server = Server::start(&mut command, ports[0].1);
    for (_, port) in &ports {
        server = server.and_port(*port);
    }
    Some(Services { ports, _server: server })
}

/// A Postfix that takes mail. It insists on being started by root.
pub fn postfix(scratch: &Scratch) -> Option<Services> {
    let program = program("postfix")?;
    if !root() {
        eprintln!("skipped: postfix is started by root alone");
        super::note_skip("postfix, for want of root's rights,");
        return None;
    }
    let (key, pem) = key_and_certificate(scratch);
    let folder = scratch.path().display();
    let port = free_port();
    scratch.write(
        "etc/main.cf",
        format!(
            "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
             setgid_group = postdrop\nmyhostname = mx.shop.example\nmydestination =\ninet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\nsmtpd_tls_security_level = may\nsmtpd_tls_cert_file = {pem}\n\
             smtpd_tls_key_file = {key}\nsmtpd_tls_protocols = >=TLSv1.2\nsmtpd_tls_ciphers = high\n\
             tls_high_cipherlist = {}\nmaillog_file = {folder}/log\nmaillog_file_prefixes = /tmp, /var, {folder}\n",
            SUITES.join(":")
        ),
    );
    scratch.write(
        "etc/master.cf",
        format!(
            "127.0.0.1:{port} inet n - n - - smtpd\ntlsmgr unix - - n 1000? 1 tlsmgr\nanvil unix - - n - 1 anvil\n\
             rewrite unix - - n - - trivial-rewrite\npostlog unix-dgram n - n - 1 postlogd\n\
             cleanup unix n - n - 0 cleanup\nproxymap unix - - n - - proxymap\n"
        ),
    );
    for name in ["queue", "data"] {
        std::fs::create_dir_all(scratch.path().join(name)).unwrap();
    }
    Command::new("chown").arg("postfix").arg(scratch.path().join("data")).status().unwrap();
    let mut command = Command::new(program);
    command.arg("-c").arg(scratch.path().join("etc")).arg("start-fg");
    Some(Services { ports: vec![("smtp", port)], _server: Server::start(&mut command, port) })
}

/// A slapd, which speaks TLS by GnuTLS, with DHE suites whose fields are those of RFC 7919 alone.
pub fn slapd(scratch: &Scratch) -> Option<Services> {
    let program = program("slapd")?;
    let (key, pem) = key_and_certificate(scratch);
    let (folder, port) = (scratch.path().display(), free_port());
    std::fs::create_dir_all(scratch.path().join("data")).unwrap();
    let text = format!(
        "pidfile {folder}/pid\nTLSCertificateFile {pem}\nTLSCertificateKeyFile {key}\n\
         TLSCipherSuite {GNUTLS}:+DHE-RSA\n\
         database ldif\nsuffix \"cn=shop\"\ndirectory {folder}/data\n"
    );
    let file = scratch.write("slapd.conf", text);
    let mut command = Command::new(program);
    command.args(["-h", &format!("ldap://127.0.0.1:{port}"), "-d", "0", "-f"]).arg(file);
    Some(Services { ports: vec![("ldap", port)], _server: Server::start(&mut command, port) })
}

/// A vsftpd.
pub fn vsftpd(scratch: &Scratch) -> Option<Services> {
    let program = program("vsftpd")?;
    let (key, pem) = key_and_certificate(scratch);
    let (folder, port) = (scratch.path().join("empty"), free_port());
    std::fs::create_dir_all(&folder).unwrap();
    let folder = folder.display();
    let mut text = format!(
        "listen=YES\nlisten_ipv6=NO\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
         anonymous_enable=YES\nssl_enable=YES\nallow_anon_ssl=YES\nrsa_cert_file={pem}\n\
         rsa_private_key_file={key}\nssl_ciphers={}\nsecure_chroot_dir={folder}\nanon_root={folder}\n\
         isolate=NO\nisolate_network=NO\nseccomp_sandbox=NO\n",
        SUITES.join(":")
    );
    if !root() {
        text += "run_as_launching_user=YES\n";
    }
    let file = scratch.write("vsftpd.conf", text);
    let mut command = Command::new(program);
    command.arg(file);
    Some(Services { ports: vec![("ftp", port)], _server: Server::start(&mut command, port) })
}

/// A Prosody that insists on TLS from clients.
pub fn prosody(scratch: &Scratch) -> Option<Services> {
    let program = program("prosody")?;
    let (key, pem) = key_and_certificate(scratch);
    let folder = scratch.path().display();
    let (clients, servers) = (free_port(), free_port());
    std::fs::create_dir_all(scratch.path().join("data")).unwrap();
    let text = format!(
        "run_as_root = true\npidfile = '{folder}/pid'\ndata_path = '{folder}/data'\ninterfaces = {{ '127.0.0.1' }}\n\
         c2s_ports = {{ {clients} }}\ns2s_ports = {{ {servers} }}\nc2s_direct_tls_ports = {{ }}\n\
         s2s_direct_tls_ports = {{ }}\nmodules_enabled = {{ 'saslauth', 'tls', 'dialback' }}\n\
         c2s_require_encryption = true\ns2s_require_encryption = false\ns2s_secure_auth = false\n\
         log = {{ error = '{folder}/log' }}\n\
         ssl = {{ key = '{key}', certificate = '{pem}', protocol = 'tlsv1_2+', ciphers = '{}' }}\n\
         VirtualHost 'shop.example'\n",
        SUITES.join(":")
    );
    let file = scratch.write("prosody.cfg.lua", text);
    let mut command = Command::new(program);
    command.arg("-F").arg("--config").arg(file);
    let server = Server::start(&mut command, clients).and_port(servers);
    Some(Services { ports: vec![("xmpp", clients), ("xmpp-server", servers)], _server: server })
}

/// An InspIRCd, which speaks TLS by GnuTLS.
pub fn inspircd(scratch: &Scratch) -> Option<Services> {
    let program = program("inspircd")?;
    let (key, pem) = key_and_certificate(scratch);
    let (folder, port) = (scratch.path().display(), free_port());
    let text = format!(
        "<server name=\"irc.shop.example\" description=\"x\" network=\"shop\">\n\
         <admin name=\"a\" nick=\"a\" email=\"a@shop.example\">\n<connect allow=\"*\">\n\
         <bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">\n<module name=\"cap\">\n\
         <module name=\"ssl_gnutls\">\n<module name=\"starttls\">\n<starttls provider=\"Clients\">\n\
         <sslprofile name=\"Clients\" provider=\"gnutls\" certfile=\"{pem}\" keyfile=\"{key}\" \
         priority=\"{GNUTLS}\">\n<pid file=\"{folder}/pid\">\n\
         <path datadir=\"{folder}\" logdir=\"{folder}\" runtimedir=\"{folder}\">\n"
    );
    let file = scratch.write("inspircd.conf", text);
    let mut command = Command::new(program);
    command.current_dir(scratch.path()).args(["--nofork", "--runasroot"]).arg(format!("--config={}", file.display()));
    Some(Services { ports: vec![("irc", port)], _server: Server::start(&mut command, port) })
}

/// An xrdp.
pub fn xrdp(scratch: &Scratch) -> Option<Services> {
    let program = program("xrdp")?;
    let (key, pem) = key_and_certificate(scratch);
    let (folder, port) = (scratch.path().display(), free_port());
    let text = format!(
        "[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{port}\nsecurity_layer=negotiate\n\
         certificate={pem}\nkey_file={key}\nssl_protocols=TLSv1.2, TLSv1.3\ntls_ciphers={}\nautorun=\n\
         [Logging]\nLogFile={folder}/log\nLogLevel=INFO\nEnableSyslog=false\n[Xorg]\nname=Xorg\nlib=libxup.so\n",
        SUITES.join(":")
    );
    let file = scratch.write("xrdp.ini", text);
    let mut command = Command::new(program);
    command.current_dir(scratch.path()).arg("--nodaemon").arg("--config").arg(file);
    Some(Services { ports: vec![("rdp", port)], _server: Server::start(&mut command, port) })
}

/// A MariaDB with these options, which lets a user in from everywhere.
pub fn mariadb(scratch: &Scratch, options: &[&str]) -> Option<Services> {
    let (program, install) = (program("mariadbd")?, program("mariadb-install-db")?);
    let (key, pem) = key_and_certificate(scratch);
    let (data, port) = (scratch.path().join("data"), free_port());
    let user = format!("--user={}", me("-un"));
    let data = format!("--datadir={}", data.display());
    let output = Command::new(install)
        .args(["--no-defaults", &user, &data, "--auth-root-authentication-method=normal", "--skip-test-db"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A machine from which nobody may log in is turned away before anything else.
    let users = scratch.write("users.sql", "CREATE USER app@'%' IDENTIFIED BY 'x';\n");
    let mut command = Command::new(program);
    command.args(["--no-defaults", &user, &data, "--bind-address=127.0.0.1", "--tls-version=TLSv1.2,TLSv1.3"]);
    command.args([format!("--port={port}"), format!("--ssl-cert={pem}"), format!("--ssl-key={key}")]);
    command.args([format!("--init-file={}", users.display()), "--innodb-buffer-pool-size=16M".to_owned()]);
    command.arg(format!("--socket={}/socket", scratch.path().display())).args(options);
    Some(Services { ports: vec![("mysql", port)], _server: Server::start(&mut command, port) })
}
