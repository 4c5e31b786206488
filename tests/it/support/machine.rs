//! A machine in a folder: `/proc`, `/sys`, `/dev` and its files, as a mounted image or a node's root shows them.

use super::Scratch;
use probity::collect::host::Host;
use probity::collect::{CollectContext, Collector as _, Documents, Job, Limits, Secret, Secrets, Silent};
use probity::model::host::Disk;
use probity::model::target::{DiskPath, Roots};
use probity::model::{FixedClock, Observation, SecretRef, Target, TargetKind};
use probity::net::{Dial, Dialing, Random, Stream};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A LUKS2 header that cryptsetup made, and the uuid in it: aes-xts-plain64 with a key of 64 bytes.
pub const HEADER: &[u8] = include_bytes!("../../corpus/luks/second");
/// The same uuid as device-mapper writes it.
pub const UUID: &str = "9678aef88b9b44b8821b1cfc81c02207";

/// The machine; what is added to it is on the disk at once.
pub struct Machine {
    pub scratch: Scratch,
    mounts: std::cell::RefCell<Vec<(String, String)>>,
}

impl Machine {
    /// A physical machine with a plain disk `sda` under `/`.
    pub fn physical(name: &str) -> Machine {
        let machine = Machine { scratch: Scratch::new(name), mounts: Default::default() };
        machine.scratch.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu vme aes\n");
        machine.swaps("");
        for folder in ["sys/dev/block", "sys/class/block", "dev", "files"] {
            std::fs::create_dir_all(machine.scratch.path().join(folder)).unwrap();
        }
        machine.device("sda", "8:0", &[]);
        machine.mount("8:0", "/", "ext4", "/dev/sda", "rw");
        machine
    }

    /// The same, but with a hypervisor below it.
    pub fn guest(name: &str) -> Machine {
        let machine = Machine::physical(name);
        machine.scratch.write("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor aes\n");
        machine
    }

    pub fn swaps(&self, lines: &str) {
        self.scratch.write("proc/swaps", format!("Filename\tType\tSize\tUsed\tPriority\n{lines}"));
    }

    /// A mount on top of those that are there. What it stands on is the last one above its point.
    pub fn mount(&self, device: &str, point: &str, kind: &str, source: &str, options: &str) {
        let mut mounts = self.mounts.borrow_mut();
        let id = mounts.len() + 20;
        let above = |other: &str| other == "/" || point.starts_with(&format!("{other}/"));
        let parent = (0..mounts.len()).filter(|n| above(&mounts[*n].0)).max_by_key(|n| mounts[*n].0.len());
        let parent = parent.map_or(1, |n| n + 20);
        let line = format!("{id} {parent} {device} / {point} rw,relatime shared:1 - {kind} {source} {options}\n");
        mounts.push((point.to_owned(), line));
        let table: String = mounts.iter().map(|(_, line)| line.as_str()).collect();
        self.scratch.write("proc/1/mountinfo", table);
    }

    /// A block device, with what it stands on.
    pub fn device(&self, name: &str, number: &str, below: &[&str]) -> PathBuf {
        let sys = self.scratch.path().join("sys");
        let folder = sys.join("devices/virtual/block").join(name);
        std::fs::create_dir_all(folder.join("slaves")).unwrap();
        std::fs::write(folder.join("dev"), format!("{number}\n")).unwrap();
        symlink(format!("../../devices/virtual/block/{name}"), sys.join("dev/block").join(number)).unwrap();
        symlink(format!("../../devices/virtual/block/{name}"), sys.join("class/block").join(name)).unwrap();
        below.iter().for_each(|other| self.stands_on(name, other));
        folder
    }

    pub fn stands_on(&self, name: &str, other: &str) {
        let folder = self.scratch.path().join("sys/devices/virtual/block").join(name);
        symlink(format!("../../{other}"), folder.join("slaves").join(other)).unwrap();
    }

    /// A mapped device.
    pub fn mapped(&self, name: &str, number: &str, called: &str, uuid: &str, below: &[&str]) {
        let folder = self.device(name, number, below).join("dm");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("name"), format!("{called}\n")).unwrap();
        std::fs::write(folder.join("uuid"), format!("{uuid}\n")).unwrap();
    }

    /// The mapped device `dm-0` on this one, encrypted by LUKS2 with the header on it.
    pub fn luks(&self, name: &str, number: &str, below: &str) {
        self.mapped(name, number, "crypt", &format!("CRYPT-LUKS2-{UUID}-crypt"), &[below]);
        self.scratch.write(&format!("dev/{below}"), HEADER);
    }

    /// A folder of the machine's, by where it is here.
    pub fn folder(&self, path: &str) -> PathBuf {
        let here = self.scratch.path().join("files").join(path.trim_start_matches('/'));
        std::fs::create_dir_all(&here).unwrap();
        here
    }

    /// A link of the machine's.
    pub fn link(&self, at: &str, to: &str) {
        symlink(to, self.scratch.path().join("files").join(at.trim_start_matches('/'))).unwrap();
    }

    /// The target that names these paths.
    pub fn target(&self, paths: &[&str]) -> Target {
        let mut target = Target::new("db1", TargetKind::Host, "localhost");
        let place = |name: &str| Some(self.scratch.path().join(name));
        target.connection.roots =
            Roots { proc: place("proc"), sys: place("sys"), dev: place("dev"), files: place("files") };
        let path = |path: &&str| DiskPath { path: Path::new(path).to_owned(), store: String::new() };
        target.connection.disk_paths = paths.iter().map(path).collect();
        target
    }

    /// What is seen of these paths.
    pub fn look(&self, paths: &[&str]) -> Disk {
        look_at(&self.target(paths), Vec::new()).read().unwrap()
    }
}

/// A seam that a look at disks has no use for.
struct Nothing;

impl Dial for Nothing {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async { panic!("disks need no network") })
    }
    fn connect(&self, _: SocketAddr, _: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async { panic!("disks need no network") })
    }
}

impl Random for Nothing {
    fn fill(&self, _: &mut [u8]) {}
}

impl Secrets for Nothing {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there is none".to_owned())
    }
}

/// What the collector sees of a machine, once the databases on it have said this.
pub fn look_at(target: &Target, earlier: Vec<Observation>) -> Observation {
    let context = CollectContext {
        clock: Arc::new(FixedClock("2026-11-23T12:00:00Z".parse().unwrap())),
        dial: Arc::new(Nothing),
        random: Arc::new(Nothing),
        progress: Arc::new(Silent),
        secrets: Arc::new(Nothing),
        cancel: tokio_util::sync::CancellationToken::new(),
        limits: Limits::default(),
        documents: Arc::new(Documents::default()),
        halfway: Arc::default(),
    };
    assert!(Host.accepts(target));
    let job = Job { target: target.clone(), addresses: Vec::new(), earlier };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut seen = runtime.block_on(Host.collect(&job, &context));
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

/// Sets a policy of fscrypt on the folder, with a key that is added to its file system: what `fscryptctl` does.
const SET_POLICY: &str = "
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
# struct fscrypt_add_key_arg with an identifier that the kernel gives, and a raw key of 64 bytes behind it
key = bytearray(struct.pack('=II32s2I32s', 2, 0, b'', 64, 0, b'') + bytes(range(64)))
fcntl.ioctl(fd, 0xc0506617, key, True)
policy = struct.pack('=BBBB4s16s', 2, 1, 4, 3, b'', bytes(key[8:24]))
fcntl.ioctl(fd, 0x800c6613, policy)
";

/// A file system of ext4 in a file, mounted until the test ends.
pub struct Volume {
    scratch: Scratch,
}

impl Volume {
    /// A new one; where this machine does not allow it, the test says so.
    pub fn new(name: &str) -> Option<Volume> {
        let mkfs = super::program("mkfs.ext4")?;
        let volume = Volume { scratch: Scratch::new(name) };
        std::fs::File::create(volume.image()).unwrap().set_len(64 << 20).unwrap();
        assert!(quiet(Command::new(mkfs).args(["-q", "-O", "encrypt"]).arg(volume.image())));
        std::fs::create_dir(volume.mounted()).unwrap();
        let mounted = quiet(Command::new("mount").args(["-o", "loop"]).arg(volume.image()).arg(volume.mounted()));
        if !mounted {
            lacks("leave to mount");
        }
        mounted.then_some(volume)
    }

    /// The file that holds it: the bytes below the file system.
    pub fn image(&self) -> PathBuf {
        self.scratch.path().join("image")
    }

    fn mounted(&self) -> PathBuf {
        self.scratch.path().join("mounted")
    }

    /// A new folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.mounted().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    /// Has the file system encrypt what is put into the folder; where the kernel does not, the test says so.
    pub fn encrypt(&self, folder: &Path) -> bool {
        let Some(python) = super::program("python3") else { return false };
        let done = quiet(Command::new(python).arg("-c").arg(SET_POLICY).arg(folder));
        if !done {
            lacks("a kernel with fscrypt");
        }
        done
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = quiet(Command::new("umount").arg(self.mounted()));
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn lacks(what: &str) {
    eprintln!("skipped: {what} is lacking");
    super::note_skip(what);
}
