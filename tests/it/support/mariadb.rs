//! A real MariaDB server on loopback, in a posture.

use super::postgres::{certificates, is_root};
use super::{Scratch, Server, free_port, program};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The audit account's password. It is printable ASCII that no other text of the tests holds.
pub const PASSWORD: &str = "sesame-9c2b-open";

/// How the server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// As an installation leaves it: no TLS, root without a password, an account without a name, a database for all.
    Plain,
    /// TLS is on, but a client may do without it; nothing is encrypted, and every account has a name.
    Mixed,
    /// TLS is required, every file that can be encrypted is, an audit plugin logs, and no account is left open.
    Strict,
}

/// A running server with a data folder of its own.
pub struct Mariadb {
    server: Option<Server>,
    scratch: Scratch,
    /// The port on 127.0.0.1.
    pub port: u16,
    user: String,
}

impl Mariadb {
    /// Starts a server, or says that MariaDB is not installed.
    pub fn start(posture: Posture) -> Option<Mariadb> {
        Mariadb::start_with(posture, "")
    }

    /// Starts a server with further settings.
    pub fn start_with(posture: Posture, more: &str) -> Option<Mariadb> {
        let install = program("mariadb-install-db")?;
        let daemon = program("mariadbd")?;
        program("mariadb")?;
        if posture == Posture::Strict && !Path::new(PLUGINS).join("file_key_management.so").is_file() {
            super::skip("file_key_management");
            return None;
        }
        let scratch = Scratch::new("mariadb");
        let output = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        let mut mariadb = Mariadb { server: None, scratch, port: free_port(), user };
        mariadb.create(&install, posture, more);
        mariadb.run(&daemon);
        if posture == Posture::Mixed {
            // An account without a name comes before every other of this machine.
            mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
        }
        mariadb.sql(&format!("CREATE USER auditor@'%' IDENTIFIED BY '{PASSWORD}'"));
        Some(mariadb)
    }

    /// What an administrator does after an installation. The tests themselves come in by the socket.
    fn tidied(&self) -> String {
        format!(
            "INSTALL SONAME 'auth_ed25519'; CREATE OR REPLACE USER '{0}'@localhost IDENTIFIED VIA unix_socket; \
             GRANT ALL ON *.* TO '{0}'@localhost WITH GRANT OPTION; \
             DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND (Host <> 'localhost' OR '{0}' <> 'root')); \
             DELETE FROM mysql.db; DROP DATABASE IF EXISTS test; ",
            self.user
        )
    }

    /// Gives the audit account every right that it can use, as we propose them.
    pub fn grant_all(&self) {
        self.sql(&probity::collect::mysql::grants(true, "'auditor'@'%'", &[], "", false).join(" "));
    }

    /// The folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// The authority of the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// Runs SQL as the administrator and gives what it prints, without decoration.
    pub fn sql(&self, sql: &str) -> String {
        let output = self.client(sql).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A session of the administrator's that runs this beside the test. Its end ends what it runs.
    pub fn session(&self, sql: &str) -> Child {
        self.client(sql).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn client(&self, sql: &str) -> Command {
        let mut command = Command::new("mariadb");
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default());
        command.args(["--no-defaults", "--default-character-set=utf8mb4", "-N", "-B", "-S"]).arg(self.socket());
        command.args(["-u", if self.is_tidied() { &self.user } else { "root" }, "-e", sql]);
        command
    }

    /// The words of a shell that run the SQL which follows them, as the administrator of a server that is not tidied.
    pub fn words(&self) -> String {
        format!("mariadb --no-defaults -S '{}' -u root -e", self.socket().display())
    }

    fn is_tidied(&self) -> bool {
        self.scratch.path().join("tidied").exists()
    }

    fn socket(&self) -> PathBuf {
        self.scratch.path().join("s")
    }

    /// Sessions of the audit account's.
    pub fn sessions(&self) -> String {
        self.sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'auditor'")
    }

    /// No session of the audit account's is left on the server.
    pub fn assert_gone(&self) {
        let end = Instant::now() + Duration::from_secs(5);
        while self.sessions() != "0" {
            assert!(Instant::now() < end, "a session of the collector is still open");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until this count is not nought.
    pub fn wait_for(&self, what: &str, sql: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while self.sql(sql) == "0" {
            assert!(Instant::now() < end, "{what} does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of the server's process.
    pub fn process(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// Stops the server at once, as a crash would.
    pub fn crash(&mut self) {
        super::signal(self.server.as_ref().unwrap().id(), "KILL");
        self.server = None;
    }

    /// Whether a file of the server's with this beginning, in this folder of its data, holds this text.
    pub fn holds(&self, folder: &str, beginning: &str, wanted: &str) -> bool {
        let entries = std::fs::read_dir(self.data().join(folder)).unwrap();
        let files = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning));
        let mut found = 0;
        let hit = files.into_iter().any(|file| {
            found += 1;
            let bytes = std::fs::read(file.path()).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        });
        assert!(hit || found > 0, "no file {beginning}* in {folder}");
        hit
    }

    fn create(&self, install: &Path, posture: Posture, more: &str) {
        let folder = self.scratch.path();
        certificates(&self.scratch);
        // Each server clears its folder of temporary tables when it starts: with a common one they harm each other.
        std::fs::create_dir(folder.join("tmp")).unwrap();
        let key: String = (0..64).map(|n| char::from(b"0123456789abcdef"[n * 7 % 16])).collect();
        self.scratch.write("keys", format!("1;{key}\n"));
        self.scratch.write("my.cnf", self.settings(posture) + more);
        if posture == Posture::Strict {
            self.scratch.write("tidied", "");
        }
        if is_root() {
            run(Command::new("chown").args(["-R", "mysql:mysql"]).arg(folder));
        }
        let mut command = as_mysql(install);
        command.arg(format!("--defaults-file={}", folder.join("my.cnf").display()));
        command.args(["--auth-root-authentication-method=normal", "--skip-name-resolve"]);
        let output: Output = command.output().unwrap();
        let words = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&words));
    }

    fn settings(&self, posture: Posture) -> String {
        let folder = self.scratch.path().display();
        let mut settings = format!(
            "[mariadbd]\ndatadir={folder}/data\ntmpdir={folder}/tmp\nport={}\nbind-address=127.0.0.1\nsocket={folder}/s\npid-file={folder}/pid\n\
             innodb_flush_log_at_trx_commit=0\ninnodb_buffer_pool_size=16M\ninnodb_log_file_size=8M\n\
             innodb_doublewrite=0\naria_pagecache_buffer_size=8M\nkey_buffer_size=1M\nmax_connections=30\n\
             innodb_fast_shutdown=2\ninnodb_use_native_aio=0\n",
            self.port
        );
        if posture != Posture::Plain {
            settings += &format!("ssl_cert={folder}/server.pem\nssl_key={folder}/server.key\n");
        }
        if posture == Posture::Strict {
            settings += &format!(
                "plugin_dir={PLUGINS}\nrequire_secure_transport=ON\ntls_version=TLSv1.2,TLSv1.3\n\
                 plugin_load_add=file_key_management\nfile_key_management_filename={folder}/keys\n\
                 innodb_encrypt_tables=FORCE\ninnodb_encrypt_log=ON\ninnodb_encryption_threads=2\n\
                 innodb_encrypt_temporary_tables=ON\nlog_bin=bin\nserver_id=1\nencrypt_binlog=ON\nencrypt_tmp_files=ON\n\
                 encrypt_tmp_disk_tables=ON\naria_encrypt_tables=ON\nlocal_infile=OFF\nsecure_file_priv={folder}\n\
                 performance_schema=ON\nplugin_load_add=server_audit\nserver_audit_logging=ON\n\
                 server_audit_events=CONNECT,QUERY_DDL\n"
            );
        }
        settings
    }

    fn run(&mut self, daemon: &Path) {
        let mut command = as_mysql(daemon);
        command.arg(format!("--defaults-file={}", self.scratch.path().join("my.cnf").display()));
        self.server = Some(Server::start(&mut command, self.port));
        // The first account is root's; the tidied server is reached as root as well until it is tidied.
        let end = Instant::now() + Duration::from_secs(30);
        let tidied = self.scratch.path().join("tidied");
        let strict = tidied.exists();
        if strict {
            std::fs::remove_file(&tidied).unwrap();
        }
        while !self.client("SELECT 1").output().unwrap().status.success() {
            assert!(Instant::now() < end, "the server takes no sessions");
            std::thread::sleep(Duration::from_millis(50));
        }
        if strict {
            self.sql(&format!("{} FLUSH PRIVILEGES", self.tidied()));
            self.scratch.write("tidied", "");
        }
    }
}

const PLUGINS: &str = "/usr/lib/mysql/plugin";

/// MariaDB refuses to run as root, so root becomes the user that the package made.
fn as_mysql(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "mysql", "--regid", "mysql", "--init-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}

/// A proxy that cuts each connection after so many bytes of the server's.
pub fn cutting(port: u16, after: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
                let (mut to, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let mut left = after;
                let mut buffer = [0; 4096];
                while left > 0 {
                    let most = buffer.len().min(left);
                    let Ok(count @ 1..) = (&server).read(&mut buffer[..most]) else { break };
                    left -= count;
                    if (&client).write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    own
}
