//! A real PostgreSQL server on loopback, in a posture.

use super::{Scratch, Server, free_port, program};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The superuser's password. It is printable ASCII that no other text of the tests holds.
pub const PASSWORD: &str = "sesame-7f3a-open";

/// How the server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// No TLS, and everybody is trusted.
    Plain,
    /// TLS is on, but a client may do without it; passwords are MD5.
    Mixed,
    /// TLS 1.3 only, no plaintext, SCRAM, page checksums, logging on, and pgaudit where it is installed.
    Strict,
}

/// A running server with a data folder of its own.
pub struct Postgres {
    server: Option<Server>,
    scratch: Scratch,
    programs: PathBuf,
    /// The port on 127.0.0.1.
    pub port: u16,
}

impl Postgres {
    /// Starts a server, or says that PostgreSQL is not installed.
    pub fn start(posture: Posture) -> Option<Postgres> {
        let mut postgres = Postgres::prepare()?;
        postgres.create(posture, "");
        postgres.run();
        Some(postgres)
    }

    /// Starts a server with further settings.
    pub fn start_with(posture: Posture, settings: &str) -> Option<Postgres> {
        let mut postgres = Postgres::prepare()?;
        postgres.create(posture, settings);
        postgres.run();
        Some(postgres)
    }

    /// Starts a server whose rules are beside its data, as Debian has them.
    pub fn start_with_rules_elsewhere(posture: Posture) -> Option<Postgres> {
        let mut postgres = Postgres::prepare()?;
        let file = postgres.scratch.path().join("rules.conf");
        postgres.create(posture, &format!("hba_file = '{}'\n", file.display()));
        postgres.scratch.write("rules.conf", rules(posture));
        postgres.run();
        Some(postgres)
    }

    /// Starts a plain server that runs jobs with pg_cron, or says that it is not installed.
    pub fn start_with_cron() -> Option<Postgres> {
        let mut postgres = Postgres::prepare()?;
        if !postgres.has_library("pg_cron") {
            return None;
        }
        let settings = "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'postgres'\n\
                        cron.use_background_workers = on\n";
        postgres.create(Posture::Plain, settings);
        postgres.run();
        postgres.sql("postgres", "CREATE EXTENSION pg_cron");
        Some(postgres)
    }

    /// Whether the server can load this library. Where it cannot, the test says so; in CI that is a failure.
    pub fn has_library(&self, name: &str) -> bool {
        let found = self.library(name);
        if !found {
            assert!(std::env::var_os("CI").is_none(), "{name} is not installed, and in CI no extension may be absent");
            eprintln!("skipped: {name} is not installed");
            super::note_skip(name);
        }
        found
    }

    fn library(&self, name: &str) -> bool {
        self.programs.parent().unwrap().join(format!("lib/{name}.so")).is_file()
    }

    fn prepare() -> Option<Postgres> {
        let of_debian = super::postgresql_folders().into_iter().find(|folder| folder.join("initdb").is_file());
        let programs = match of_debian {
            Some(folder) => folder,
            None => program("initdb")?.canonicalize().unwrap().parent().unwrap().to_owned(),
        };
        let scratch = Scratch::new("postgres");
        Some(Postgres { server: None, scratch, programs, port: free_port() })
    }

    /// The folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// The certificate that the server shows, which is its own authority.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// Runs SQL as the superuser and gives what it prints, without decoration.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A session of the superuser's that runs this beside the test. Its end ends what it runs.
    pub fn session(&self, sql: &str) -> Child {
        self.command("postgres", sql).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        self.command(database, sql).output().unwrap()
    }

    fn command(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .env_clear()
            .env("PGPASSWORD", PASSWORD)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        command
    }

    /// The words of a shell that run the SQL which follows them, as the superuser.
    pub fn words(&self) -> String {
        let psql = self.programs.join("psql");
        format!(
            "PGPASSWORD={PASSWORD} '{}' -h 127.0.0.1 -p {} -U postgres -d postgres -X -q -v ON_ERROR_STOP=1 -c",
            psql.display(),
            self.port
        )
    }

    /// The id of the server's first process.
    pub fn id(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// Replaces the rules by which clients are admitted, and has the server read them.
    pub fn set_hba(&self, rules: &str) {
        std::fs::write(self.data().join("pg_hba.conf"), rules).unwrap();
        next_second();
        self.sql("postgres", "SELECT pg_reload_conf()");
        // The postmaster reads the file a moment after the signal.
        std::thread::sleep(Duration::from_millis(200));
    }

    /// Stops the server at once, as a crash would.
    pub fn crash(&mut self) {
        // SIGQUIT ends every process of the server without a farewell.
        super::signal(self.id(), "QUIT");
        self.server = None;
    }

    fn create(&self, posture: Posture, more: &str) {
        let folder = self.scratch.path();
        let password = self.scratch.write("password", PASSWORD);
        certificates(&self.scratch);
        own(folder);
        let mut initdb = as_postgres(&self.programs.join("initdb"));
        initdb.arg("-D").arg(self.data()).args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256"]);
        initdb.arg("--no-sync").arg("--pwfile").arg(&password);
        if posture == Posture::Strict {
            initdb.arg("--data-checksums");
        }
        let output = initdb.output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        let settings = self.settings(posture, self.library("pgaudit")) + more;
        std::fs::write(self.data().join("postgresql.auto.conf"), settings).unwrap();
        std::fs::write(self.data().join("pg_hba.conf"), rules(posture)).unwrap();
    }

    fn settings(&self, posture: Posture, pgaudit: bool) -> String {
        let folder = self.scratch.path().display();
        let mut settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{folder}'\nfsync = off\n\
             shared_buffers = '16MB'\nmax_connections = 20\n",
            self.port
        );
        if posture != Posture::Plain {
            settings +=
                &format!("ssl = on\nssl_cert_file = '{folder}/server.pem'\nssl_key_file = '{folder}/server.key'\n");
        }
        match posture {
            Posture::Plain => {}
            Posture::Mixed => settings += "password_encryption = 'md5'\n",
            Posture::Strict => {
                settings += "ssl_min_protocol_version = 'TLSv1.3'\nlog_connections = on\nlog_disconnections = on\n\
                             log_statement = 'ddl'\n";
                if pgaudit {
                    settings += "shared_preload_libraries = 'pgaudit'\npgaudit.log = 'ddl, role'\n";
                }
            }
        }
        settings
    }

    fn run(&mut self) {
        next_second();
        let mut command = as_postgres(&self.programs.join("postgres"));
        command.arg("-D").arg(self.data());
        self.server = Some(Server::start(&mut command, self.port));
        // It listens a moment before it takes sessions.
        let end = Instant::now() + Duration::from_secs(30);
        while !self.psql("postgres", "SELECT 1").status.success() {
            assert!(Instant::now() < end, "the server takes no sessions");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The rules of each posture. Loopback counts as this machine, so each names every address.
fn rules(posture: Posture) -> &'static str {
    match posture {
        Posture::Plain => "local all all trust\nhost all all all trust\n",
        Posture::Mixed => "local all all peer\nhost all all all md5\n",
        Posture::Strict => "local all all peer\nhostnossl all all all reject\nhostssl all all all scram-sha-256\n",
    }
}

/// PostgreSQL refuses to run as root, so root becomes the user that the package made.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    // setpriv becomes the program, where runuser would stay as its parent and keep its signals.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn own(folder: &Path) {
    if is_root() {
        run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(folder));
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0\n")
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(status.success(), "{command:?} ended with {status}");
}

/// An authority in `ca.pem`, and a certificate of it for localhost and 127.0.0.1.
pub fn certificates(scratch: &Scratch) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Probity test authority");
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = leaf.signed_by(&key, &issuer).unwrap();
    scratch.write("ca.pem", ca_certificate.pem());
    scratch.write("server.pem", certificate.pem());
    let key = scratch.write("server.key", key.serialize_pem());
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// The server shows the time of a file in whole seconds, so what is loaded in the second of a change may be older.
fn next_second() {
    std::thread::sleep(Duration::from_millis(1050));
}
