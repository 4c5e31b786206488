//! Programs, ports, folders, and servers that end with what started them.

use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program of a real server. Where it is absent the test says so and returns; in CI that is a failure.
///
/// ```ignore
/// let Some(nginx) = support::program("nginx") else { return };
/// ```
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').map(PathBuf::from).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.chain(postgresql_folders()).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        skip(name);
    }
    found
}

/// Says that this test lacks a server; in CI that is a failure.
pub fn skip(lacking: &str) {
    assert!(std::env::var_os("CI").is_none(), "{lacking} is not installed, and in CI no server may be absent");
    eprintln!("skipped: {lacking} is not installed");
    note_skip(lacking);
}

/// Writes the running test and what it lacks into the file that `tests/run` reads at its end: a runner shows no output
/// of a test that did not fail.
pub fn note_skip(lacking: &str) {
    let Some(file) = std::env::var_os("PROBITY_SKIPPED") else { return };
    let thread = std::thread::current();
    let test = std::env::var("NEXTEST_TEST_NAME").unwrap_or_else(|_| thread.name().unwrap_or("a test").to_owned());
    let mut list = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
    // One short write, so that lines of tests side by side do not mix.
    list.write_all(format!("{test}: {lacking} is not installed\n").as_bytes()).unwrap();
}

/// Debian keeps the programs of each PostgreSQL version in a folder of its own; the newest comes first.
pub fn postgresql_folders() -> Vec<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    versions.reverse();
    versions
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A folder that is removed at the end of the test.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new folder, named after the test.
    pub fn new(name: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("probity-{name}-{}-{}", std::process::id(), free_port()));
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::File::create(&file).unwrap().write_all(text.as_ref()).unwrap();
        file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a process has its own way with Ctrl-C by now: before that, the signal would end it as it ends any other.
pub fn hears_interrupts(process: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")?.trim().chars().last()?.to_digit(16));
    caught.is_some_and(|lowest| lowest & 0b10 != 0)
}

/// Waits until it has, and a while longer.
pub fn wait_to_interrupt(process: u32, longer: Duration) {
    let end = Instant::now() + Duration::from_secs(60);
    while !hears_interrupts(process) {
        assert!(Instant::now() < end, "the process never waited for signals");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(longer);
}

/// Sends a signal to a process that the test started. The shell's own `kill` is there on the barest system.
pub fn signal(process: u32, name: &str) -> bool {
    let command = format!("kill -s {name} {process}");
    Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A server process that ends with the test.
pub struct Server(Child);

impl Server {
    /// Starts it and waits until the port answers.
    pub fn start(command: &mut Command, port: u16) -> Server {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server(child);
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return server;
            }
            if let Some(status) = server.0.try_wait().unwrap() {
                panic!("{command:?} ended with {status} before it listened on port {port}");
            }
            assert!(Instant::now() < end, "{command:?} does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a server that does not bear a connection which asks for nothing, and waits until it listens on the port.
    pub fn start_unasked(command: &mut Command, port: u16) -> Server {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Server(child);
        let end = Instant::now() + Duration::from_secs(30);
        // The kernel lists sockets that listen (0A) with their ports in hexadecimal.
        let line = format!(":{port:04X} ");
        let listens = |file: &str| {
            let table = std::fs::read_to_string(file).unwrap_or_default();
            table.lines().any(|row| row.contains(&line) && row.contains(" 0A "))
        };
        while !listens("/proc/net/tcp") && !listens("/proc/net/tcp6") {
            assert!(Instant::now() < end, "{command:?} does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Waits until another port of the same server answers: a server opens its ports one after the other.
    pub fn and_port(self, port: u16) -> Server {
        let end = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < end, "port {port} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A polite end first, so that masters take their workers with them.
        signal(self.0.id(), "TERM");
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
