//! Disks under paths: on machines in folders, in headers that cryptsetup made, and on this machine.

use crate::support::machine::{HEADER, Machine, UUID, Volume, look_at};
use crate::support::postgres::{PASSWORD, Postgres, Posture};
use crate::support::{Scratch, probity, program};
use probity::model::host::{Disk, DiskPlace, Files, StorePath};
use probity::model::{Fact, Observation, ObservationStatus, Reason, Target, TargetKind};
use serde_json::Value;
use std::process::{Command, Stdio};

fn place<'a>(disk: &'a Disk, path: &str) -> &'a DiskPlace {
    disk.places.iter().find(|place| place.path == path).unwrap_or_else(|| panic!("no {path} in {disk:?}"))
}

fn only(machine: &Machine, path: &str) -> DiskPlace {
    let disk = machine.look(&[path]);
    assert_eq!(disk.places.len(), 1, "{disk:?}");
    place(&disk, path).clone()
}

#[test]
fn a_path_on_luks_is_encrypted_by_the_cipher_of_its_header() {
    let machine = Machine::physical("host-luks");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/data", "xfs", "/dev/mapper/crypt", "rw");
    machine.folder("/data/pg");
    let seen = only(&machine, "/data/pg");
    assert_eq!((&seen.encrypted, &seen.algorithm), (&Fact::Known(true), &Fact::Known("AES".to_owned())));
    assert_eq!((&seen.key_bits, &seen.mode), (&Fact::Known(256), &Fact::Known("XTS".to_owned())));
    assert_eq!((seen.layers.len(), seen.layers[0].level), (1, 4));
    assert_eq!(seen.way, ["/data/pg on /data (xfs)", "dm-0 (LUKS2)"]);
}

#[test]
fn without_a_header_that_is_the_devices_own_the_cipher_stays_unknown() {
    let machine = Machine::physical("host-no-header");
    machine.mapped("dm-0", "253:0", "crypt", "CRYPT-LUKS2-00000000000000000000000000000000-crypt", &["sda"]);
    machine.scratch.write("dev/sda", HEADER);
    machine.mount("253:0", "/data", "xfs", "/dev/mapper/crypt", "rw");
    machine.folder("/data");
    let seen = only(&machine, "/data");
    assert_eq!(seen.encrypted, Fact::Known(true), "the kernel's uuid says so");
    assert!(seen.algorithm.reason().unwrap().contains("dmsetup"), "another volume's header says nothing of this one");
    machine.scratch.write("dev/sda", [&HEADER[..4100], &[b'x'; 12_284]].concat());
    let damaged = only(&machine, "/data");
    assert!(damaged.algorithm.reason().unwrap().contains("checksum"), "{damaged:?}");
}

#[test]
fn logical_volumes_and_arrays_are_followed_and_every_way_down_counts() {
    let machine = Machine::physical("host-array");
    machine.device("sdb", "8:16", &[]);
    machine.luks("dm-0", "253:0", "sda");
    machine.mapped("dm-1", "253:1", "other", &format!("CRYPT-LUKS2-{UUID}-other"), &["sdb"]);
    machine.device("md0", "9:0", &["dm-0", "dm-1"]);
    machine.mapped("dm-2", "253:2", "vg-data", "LVM-abcdef", &["md0"]);
    machine.mount("253:2", "/data", "ext4", "/dev/mapper/vg-data", "rw");
    machine.folder("/data");
    let both = only(&machine, "/data");
    assert_eq!((&both.encrypted, both.layers.len()), (&Fact::Known(true), 2));
    assert!(both.key_bits.known().is_none(), "one of the two headers is not there: {both:?}");
    machine.device("sdc", "8:32", &[]);
    machine.stands_on("md0", "sdc");
    let seen = only(&machine, "/data");
    assert_eq!((&seen.encrypted, &seen.key_bits), (&Fact::Known(false), &Fact::Known(0)));
    assert!(seen.headline.contains("sdc"), "{}", seen.headline);
}

#[test]
fn a_plain_disk_is_plain_on_a_physical_machine_and_unknown_on_a_virtual_one() {
    let machine = Machine::physical("host-plain");
    machine.folder("/srv");
    assert_eq!(only(&machine, "/srv").encrypted, Fact::Known(false));
    let guest = Machine::guest("host-guest");
    guest.folder("/srv");
    let seen = only(&guest, "/srv");
    assert!(seen.encrypted.reason().unwrap().contains("virtual machine"), "{seen:?}");
    assert!(seen.would_show.contains("provider"));
    // Nothing says which of the two it is.
    std::fs::remove_file(machine.scratch.path().join("proc/cpuinfo")).unwrap();
    assert!(only(&machine, "/srv").encrypted.known().is_none());
}

#[test]
fn integrity_without_encryption_and_the_null_cipher_encrypt_nothing() {
    let machine = Machine::physical("host-verity");
    machine.mapped("dm-0", "253:0", "usr", "CRYPT-VERITY-00-usr", &["sda"]);
    machine.mount("253:0", "/usr", "ext4", "/dev/mapper/usr", "ro");
    machine.folder("/usr");
    assert_eq!(only(&machine, "/usr").encrypted, Fact::Known(false));
    machine.device("sdb", "8:16", &[]);
    machine.mapped("dm-1", "253:1", "null", &format!("CRYPT-LUKS1-{UUID}-null"), &["sdb"]);
    let mut header = vec![0; 4096];
    header[..8].copy_from_slice(b"LUKS\xba\xbe\0\x01");
    header[8..19].copy_from_slice(b"cipher_null");
    header[40..43].copy_from_slice(b"ecb");
    header[108..112].copy_from_slice(&32u32.to_be_bytes());
    header[168..204].copy_from_slice(b"9678aef8-8b9b-44b8-821b-1cfc81c02207");
    machine.scratch.write("dev/sdb", header);
    machine.mount("253:1", "/null", "ext4", "/dev/mapper/null", "rw");
    machine.folder("/null");
    assert_eq!(only(&machine, "/null").encrypted, Fact::Known(false));
}

#[test]
fn links_lead_to_the_disk_where_the_files_really_are() {
    let machine = Machine::physical("host-link");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/data", "xfs", "/dev/mapper/crypt", "rw");
    machine.folder("/data/pg");
    machine.folder("/fast/wal");
    machine.link("/data/pg/pg_wal", "/fast/wal");
    let disk = machine.look(&["/data/pg", "/data/pg/pg_wal"]);
    assert_eq!(place(&disk, "/data/pg").encrypted, Fact::Known(true));
    assert_eq!(place(&disk, "/data/pg/pg_wal").encrypted, Fact::Known(false));
    machine.link("/circle", "/circle");
    let circle = machine.look(&["/circle", "/no/such/path", "/data/../data/pg"]);
    assert!(place(&circle, "/circle").encrypted.reason().unwrap().contains("links"));
    assert!(place(&circle, "/no/such/path").encrypted.reason().unwrap().contains("there is no"));
    assert_eq!(place(&circle, "/data/../data/pg").encrypted, Fact::Known(true));
}

#[test]
fn a_mount_inside_a_path_is_a_place_of_its_own() {
    let machine = Machine::physical("host-inside");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/data", "xfs", "/dev/mapper/crypt", "rw");
    machine.device("sdb", "8:16", &[]);
    machine.mount("8:16", "/data/old\\012er", "ext4", "/dev/sdb", "rw");
    machine.mount("0:5", "/data/run", "tmpfs", "tmpfs", "rw");
    machine.folder("/data/old\ner");
    let disk = machine.look(&["/data"]);
    let states: Vec<_> = disk.places.iter().map(|place| (place.path.as_str(), place.encrypted.known())).collect();
    assert_eq!(states, [("/data", Some(&true)), ("/data/old?er", Some(&false))], "a line break is no part of evidence");
}

#[test]
fn file_systems_say_what_they_can() {
    let machine = Machine::physical("host-types");
    let options = "rw,ecryptfs_sig=00,ecryptfs_cipher=aes,ecryptfs_key_bytes=16";
    machine.mount("0:50", "/e", "ecryptfs", "/lower", options);
    machine.mount("0:51", "/g", "fuse.gocryptfs", "/lower", "rw");
    machine.mount("0:52", "/n", "nfs4", "server:/x", "rw");
    machine.mount("0:53", "/t", "tmpfs", "tmpfs", "rw");
    machine.mount("0:54", "/z", "zfs", "tank/db", "rw");
    machine.mount("0:55", "/s", "fuse.strange", "x", "rw");
    machine.mount("0:56", "/r", "fuse.gocryptfs-reverse", "x", "rw");
    for folder in ["/e", "/g", "/n", "/t", "/z", "/s", "/r", "/lower"] {
        machine.folder(folder);
    }
    let disk = machine.look(&["/e", "/g", "/n", "/t", "/z", "/s", "/r"]);
    let (e, g) = (place(&disk, "/e"), place(&disk, "/g"));
    assert_eq!((&e.encrypted, &e.key_bits), (&Fact::Known(true), &Fact::Known(128)));
    assert!(g.encrypted == Fact::Known(true) && g.algorithm.known().is_none());
    assert!(place(&disk, "/n").encrypted.reason().unwrap().contains("another machine"));
    assert_eq!(place(&disk, "/t").stored, Fact::Known(false));
    assert!(place(&disk, "/z").would_show.contains("zfs get"));
    for path in ["/s", "/r", "/z", "/t"] {
        assert!(place(&disk, path).encrypted.known().is_none(), "{path}");
    }
}

#[test]
fn each_folder_of_an_overlay_and_each_device_of_btrfs_counts() {
    let machine = Machine::physical("host-overlay");
    machine.luks("dm-0", "253:0", "sda");
    machine.device("sdb", "8:16", &[]);
    machine.mount("253:0", "/enc", "xfs", "/dev/mapper/crypt", "rw");
    machine.mount("0:60", "/both", "overlay", "overlay", "rw,lowerdir=/enc/l1:/enc/l2,upperdir=/enc/u,workdir=/enc/w");
    machine.mount("0:61", "/half", "overlay", "overlay", "rw,lowerdir=/low,upperdir=/enc/u,workdir=/enc/w");
    machine.mount("0:62", "/box", "overlay", "overlay", "rw,lowerdir=/node/l,upperdir=/node/u,workdir=/node/w");
    machine.mount("0:63", "/b1", "btrfs", "/dev/mapper/crypt", "rw");
    for folder in ["/both", "/half", "/box", "/b1", "/enc/l1", "/enc/l2", "/enc/u", "/low"] {
        machine.folder(folder);
    }
    let volume = machine.scratch.path().join("sys/fs/btrfs/0000/devices");
    std::fs::create_dir_all(&volume).unwrap();
    let add = |name: &str| {
        let device = machine.scratch.path().join("sys/devices/virtual/block").join(name);
        std::os::unix::fs::symlink(device, volume.join(name)).unwrap();
    };
    add("dm-0");
    let paths = ["/both", "/half", "/box", "/b1"];
    let disk = machine.look(&paths);
    let states: Vec<_> = paths.iter().map(|path| place(&disk, path).encrypted.known().copied()).collect();
    assert_eq!(states, [Some(true), Some(false), None, Some(true)], "{disk:?}");
    assert!(place(&disk, "/box").encrypted.reason().unwrap().contains("container"));
    add("sdb");
    assert_eq!(place(&machine.look(&["/b1"]), "/b1").encrypted, Fact::Known(false), "the second device is plain");
}

#[test]
fn a_loop_device_leads_to_the_file_behind_it_and_a_partition_to_its_disk() {
    let machine = Machine::physical("host-loop");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/enc", "xfs", "/dev/mapper/crypt", "rw");
    machine.folder("/enc");
    std::fs::write(machine.folder("/enc").join("disk.img"), [0; 64]).unwrap();
    let folder = machine.device("loop3", "7:3", &[]);
    std::fs::create_dir_all(folder.join("loop")).unwrap();
    std::fs::write(folder.join("loop/backing_file"), "/enc/disk.img\n").unwrap();
    // A partition stands in its disk's folder, without a list of what it stands on.
    let part = folder.join("loop3p1");
    std::fs::create_dir_all(&part).unwrap();
    std::fs::write(part.join("dev"), "259:1\n").unwrap();
    std::fs::write(part.join("partition"), "1\n").unwrap();
    let link = machine.scratch.path().join("sys/dev/block/259:1");
    std::os::unix::fs::symlink("../../devices/virtual/block/loop3/loop3p1", link).unwrap();
    machine.mount("259:1", "/mnt", "ext4", "/dev/loop3p1", "rw");
    machine.folder("/mnt");
    let seen = only(&machine, "/mnt");
    assert_eq!(seen.encrypted, Fact::Known(true), "{seen:?}");
    assert_eq!(seen.way.iter().filter(|step| step.contains("loop3") || step.contains("dm-0")).count(), 3, "{seen:?}");
}

#[test]
fn swap_is_looked_at_as_a_disk_is() {
    let machine = Machine::physical("host-swap");
    assert_eq!(machine.look(&[]).swap, Fact::Known(Vec::new()));
    machine.device("sdb", "8:16", &[]);
    machine.luks("dm-0", "253:0", "sda");
    let zram = machine.device("zram0", "252:0", &[]);
    std::fs::write(zram.join("backing_dev"), "none\n").unwrap();
    std::fs::write(machine.folder("/").join("swapfile"), b"").unwrap();
    machine.swaps(
        "/dev/dm-0 partition 1 0 -2\n/dev/sdb partition 1 0 -3\n/dev/zram0 partition 1 0 5\n/swapfile file 1 0 -4\n",
    );
    let swap = machine.look(&[]).swap;
    let states: Vec<_> = swap
        .known()
        .unwrap()
        .iter()
        .map(|area| (area.path.as_str(), area.stored.known().copied(), area.encrypted.known().copied()))
        .collect();
    let expected = [
        ("/dev/dm-0", Some(true), Some(true)),
        ("/dev/sdb", Some(true), Some(false)),
        ("/dev/zram0", Some(false), None),
        ("/swapfile", Some(true), Some(false)),
    ];
    assert_eq!(states, expected);
    std::fs::write(zram.join("backing_dev"), "/dev/sdb\n").unwrap();
    let swap = machine.look(&[]).swap;
    assert!(swap.known().unwrap()[2].encrypted.reason().unwrap().contains("further device"));
    std::fs::remove_file(machine.scratch.path().join("proc/swaps")).unwrap();
    assert!(machine.look(&[]).swap.known().is_none());
}

#[test]
fn hostile_machines_end_in_unknown() {
    let machine = Machine::physical("host-hostile");
    // Devices that stand on each other, and a wide lattice of them.
    machine.device("md0", "9:0", &[]);
    machine.device("md1", "9:1", &["md0"]);
    machine.stands_on("md0", "md1");
    machine.mount("9:1", "/circle", "ext4", "/dev/md1", "rw");
    let mut last: Vec<String> = vec!["sda".to_owned()];
    for level in 0..40 {
        let next: Vec<String> = (0..4).map(|n| format!("md{}", 100 + level * 4 + n)).collect();
        for (n, name) in next.iter().enumerate() {
            let below: Vec<&str> = last.iter().map(String::as_str).collect();
            machine.device(name, &format!("9:{}", 100 + level * 4 + n), &below);
        }
        last = next;
    }
    machine.mount("9:256", "/lattice", "ext4", "/dev/md256", "rw");
    // A device whose link leads out of /sys, and one that is not there.
    let out = machine.scratch.path().join("sys/dev/block/8:99");
    std::os::unix::fs::symlink(std::env::temp_dir(), out).unwrap();
    machine.mount("8:99", "/out", "ext4", "/dev/x", "rw");
    machine.mount("8:98", "/absent", "ext4", "/dev/y", "rw");
    // Overlays that stand on each other.
    machine.mount("0:70", "/o1", "overlay", "overlay", "rw,lowerdir=/o2,upperdir=/o2");
    machine.mount("0:71", "/o2", "overlay", "overlay", "rw,lowerdir=/o1,upperdir=/o1");
    let paths = ["/circle", "/lattice", "/out", "/absent", "/o1", "relative"];
    for path in &paths[..5] {
        machine.folder(path);
    }
    machine.folder("/o2");
    let begin = std::time::Instant::now();
    let disk = machine.look(&paths);
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    for path in paths {
        assert!(place(&disk, path).encrypted.known().is_none(), "{path}: {:?}", place(&disk, path));
    }
    // A table of mounts that is too long, or is not understood, says nothing.
    let line = "20 1 253:0 / / rw - ext4 /dev/dm-0 rw\n";
    for table in [line.repeat(120_000), format!("{line}nonsense\n"), String::new()] {
        machine.scratch.write("proc/1/mountinfo", table);
        assert!(machine.look(&["/circle"]).places[0].encrypted.known().is_none());
    }
    std::fs::remove_file(machine.scratch.path().join("proc/1/mountinfo")).unwrap();
    assert!(machine.look(&["/circle"]).places[0].encrypted.known().is_none());
}

#[test]
fn headers_of_cryptsetup_are_read() {
    let Some(cryptsetup) = program("cryptsetup") else { return };
    let machine = Machine::physical("host-cryptsetup");
    let format = |file: &str, arguments: &[&str]| {
        let image = machine.folder("/images").join(file);
        std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let mut command = Command::new(&cryptsetup);
        command.args(["luksFormat", "-q", "--pbkdf-force-iterations", "1000"]).args(arguments);
        command.arg(&image).arg("-").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"no secret").unwrap();
        assert!(child.wait().unwrap().success(), "{file}");
    };
    format("one", &["--type", "luks1", "--key-size", "256"]);
    format("two", &["--type", "luks2", "--pbkdf", "pbkdf2"]);
    format("cbc", &["--type", "luks2", "--pbkdf", "pbkdf2", "--cipher", "aes-cbc-essiv:sha256", "--key-size", "256"]);
    let disk = machine.look(&["/images/one", "/images/two", "/images/cbc"]);
    let cipher = |path: &str| {
        let seen = place(&disk, path);
        (seen.encrypted.known().copied(), seen.key_bits.known().copied(), seen.mode.known().cloned())
    };
    assert_eq!(cipher("/images/one"), (Some(true), Some(128), Some("XTS".to_owned())));
    assert_eq!(cipher("/images/two"), (Some(true), Some(256), Some("XTS".to_owned())));
    assert_eq!(cipher("/images/cbc"), (Some(true), Some(256), Some("CBC".to_owned())));
}

#[test]
fn a_folder_that_ext4_encrypts_is_told_from_one_beside_it() {
    let Some(volume) = Volume::new("host-fscrypt") else { return };
    let (secret, open) = (volume.folder("secret"), volume.folder("open"));
    if !volume.encrypt(&secret) {
        return;
    }
    let paths = [secret.to_str().unwrap(), open.to_str().unwrap()];
    let mut target = Target::new("here", TargetKind::Host, "localhost");
    let path = |path: &&str| probity::model::target::DiskPath { path: path.into(), store: String::new() };
    target.connection.disk_paths = paths.iter().map(path).collect();
    let disk: Disk = look_at(&target, Vec::new()).read().unwrap();
    let seen = place(&disk, paths[0]);
    assert_eq!((&seen.encrypted, seen.layers[0].layer.as_str()), (&Fact::Known(true), "file"), "{seen:?}");
    let plain = place(&disk, paths[1]);
    assert_ne!(plain.encrypted, Fact::Known(true), "{plain:?}");
    assert!(plain.way.iter().any(|step| step.starts_with("loop")), "the device and the file behind it: {plain:?}");
}

#[test]
fn this_machine_is_followed_to_the_end_of_every_way() {
    let mut target = Target::new("here", TargetKind::Host, "here");
    for path in ["/", "/tmp", "/proc", "/dev/shm"] {
        let path = probity::model::target::DiskPath { path: path.into(), store: String::new() };
        target.connection.disk_paths.push(path);
    }
    let seen = look_at(&target, Vec::new());
    assert_eq!(seen.status, ObservationStatus::Complete, "{:?}", seen.trouble);
    let disk: Disk = seen.read().unwrap();
    assert!(disk.places.len() >= 4 && disk.swap.known().is_some(), "{disk:?}");
    for place in &disk.places {
        assert_eq!(place.encrypted == Fact::Known(true), !place.layers.is_empty(), "{place:?}");
        assert!(place.way.len() > 1 || place.stored == Fact::Known(false), "{place:?}");
    }
    assert_eq!(place(&disk, "/proc").stored, Fact::Known(false));
    let schema = serde_json::to_value((probity::model::kind::find("host.disk").unwrap().schema)()).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&Value::Object(seen.data)));
}

#[test]
fn another_machine_is_not_taken_for_this_one() {
    let mut target = Target::new("db1", TargetKind::Host, "db1.example");
    target.connection.host = "db1.example".to_owned();
    let seen = look_at(&target, Vec::new());
    let trouble = seen.trouble.unwrap();
    assert_eq!((seen.status, trouble.reason), (ObservationStatus::Failed, Reason::Unsupported));
    assert!(trouble.detail.contains("another machine"), "{trouble}");
}

#[test]
fn a_folder_of_another_server_is_not_taken_for_the_one_that_was_asked() {
    let machine = Machine::physical("host-identity");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/pg", "xfs", "/dev/mapper/crypt", "rw");
    std::fs::create_dir_all(machine.folder("/pg").join("global")).unwrap();
    std::fs::write(machine.folder("/pg/global").join("pg_control"), 77u64.to_le_bytes()).unwrap();
    let told = |identity: &str| {
        let files = Files {
            files: vec![StorePath { kind: "data".to_owned(), path: "/pg".to_owned() }],
            beside: Vec::new(),
            identity: Some(identity.to_owned()),
        };
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        Observation::complete("db.files", "pg", "", "postgres", now, &files).unwrap()
    };
    let look = |identity: &str| -> Disk { look_at(&machine.target(&[]), vec![told(identity)]).read().unwrap() };
    assert_eq!(look("77").places[0].encrypted, Fact::Known(true));
    let other = look("78");
    assert!(other.places[0].encrypted.reason().unwrap().contains("another server"), "{other:?}");
}

#[test]
fn the_paths_of_a_container_are_followed_in_the_folder_that_its_node_has() {
    let machine = Machine::physical("host-moved");
    machine.luks("dm-0", "253:0", "sda");
    machine.mount("253:0", "/node/volume", "xfs", "/dev/mapper/crypt", "rw");
    std::fs::create_dir_all(machine.folder("/node/volume").join("global")).unwrap();
    std::fs::write(machine.folder("/node/volume/global").join("pg_control"), 77u64.to_le_bytes()).unwrap();
    machine.folder("/node/volume/pg_wal");
    let path = |kind: &str, path: &str| StorePath { kind: kind.to_owned(), path: path.to_owned() };
    let files = Files {
        files: vec![path("data", "/var/lib/pg"), path("wal", "/var/lib/pg/pg_wal"), path("tablespace", "/space")],
        beside: Vec::new(),
        identity: Some("77".to_owned()),
    };
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let told = Observation::complete("db.files", "pg", "", "postgres", now, &files).unwrap();
    let mut target = machine.target(&[]);
    let declared = probity::model::target::DiskPath { path: "/node/volume".into(), store: "pg".to_owned() };
    target.connection.disk_paths.push(declared);
    let disk: Disk = look_at(&target, vec![told]).read().unwrap();
    let states: Vec<_> =
        disk.places.iter().map(|place| (place.key.as_str(), place.encrypted.known().copied())).collect();
    let expected = [
        ("pg data /node/volume", Some(true)),
        ("pg tablespace /space", None),
        ("pg wal /node/volume/pg_wal", Some(true)),
    ];
    assert_eq!(states, expected);
}

fn results(report: &Value, check: &str) -> Vec<(String, String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = report["results"].as_array().unwrap().iter().filter(|result| result["check"] == check);
    all.map(|result| (word(&result["target"]), word(&result["status"]), word(&result["actual"]))).collect()
}

fn scan(scratch: &Scratch, configuration: &str) -> Value {
    let (file, report) = (scratch.write("probity.yaml", configuration), scratch.path().join("report.json"));
    let output = format!("json={}", report.display());
    let page = format!("html={}", scratch.path().join("report.html").display());
    let mut command = probity();
    command.env("PROBITY_PG", PASSWORD).args(["scan", "-q", "-c"]).arg(file).args(["-o", &output, "-o", &page]);
    let ran = command.output().unwrap();
    assert_ne!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap()
}

#[test]
fn a_plain_file_on_an_encrypted_disk_passes_and_on_a_plain_one_fails() {
    let machine = Machine::physical("host-joined");
    machine.luks("dm-0", "253:0", "sda");
    machine.device("sdb", "8:16", &[]);
    machine.mount("253:0", "/enc", "xfs", "/dev/mapper/crypt", "rw");
    machine.mount("8:16", "/bare", "xfs", "/dev/sdb", "rw");
    for folder in ["/enc", "/bare"] {
        let path = machine.folder(folder).join("a.sqlite");
        rusqlite::Connection::open(path)
            .unwrap()
            .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
            .unwrap();
    }
    // A log with something in it is plain, too, and lies beside the data.
    let logged = rusqlite::Connection::open(machine.folder("/enc").join("a.sqlite")).unwrap();
    logged.execute_batch("PRAGMA journal_mode = WAL; INSERT INTO t VALUES (2)").unwrap();
    let configuration = "\
targets:
  - { id: db1, kind: host, address: localhost, paths: [/enc], roots: { proc: proc, sys: sys, dev: dev, files: files } }
  - { id: good, kind: file, engine: sqlite, address: files/enc/a.sqlite, host: db1 }
  - { id: bad, kind: file, engine: sqlite, address: files/bare/a.sqlite, host: db1 }
  - { id: alone, kind: file, engine: sqlite, address: files/enc/a.sqlite }
";
    let report = scan(&machine.scratch, configuration);
    let at_rest = results(&report, "db.at_rest");
    let statuses: Vec<_> = at_rest.iter().map(|(target, status, _)| (target.as_str(), status.as_str())).collect();
    assert_eq!(statuses, [("alone", "fail"), ("bad", "fail"), ("good", "pass")], "{at_rest:?}");
    assert!(at_rest[2].2.contains("AES-256 XTS, disk layer") && at_rest[2].2.contains("strength 4/5"), "{at_rest:?}");
    let algorithm = results(&report, "db.at_rest.algorithm");
    assert_eq!(algorithm[2].1, "pass", "{algorithm:?}");
    let disks = results(&report, "host.disk.at_rest");
    let statuses: Vec<_> = disks.iter().map(|(_, status, _)| status.as_str()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == "pass").count(), 2, "{disks:?}");
    assert_eq!(statuses.iter().filter(|status| **status == "fail").count(), 1, "{disks:?}");
    assert_eq!(results(&report, "host.disk.swap")[0].1, "pass");
    let page = std::fs::read_to_string(machine.scratch.path().join("report.html")).unwrap();
    assert!(
        page.contains("Layers of encryption: data: encrypted") && page.contains("Layers of encryption: data: plain")
    );
    let page = page.replace("&#x2f;", "/");
    assert!(page.contains("● AES-256 XTS (4/5)") && page.contains("▫ does not (5/5)"), "a band for each layer");
}

#[test]
fn the_files_of_a_server_are_looked_at_where_it_says_that_they_are() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let scratch = Scratch::new("host-postgres");
    let folder = scratch.path().join("space");
    std::fs::create_dir(&folder).unwrap();
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
    }
    postgres.sql("postgres", &format!("CREATE TABLESPACE s LOCATION '{}'", folder.display()));
    let configuration = format!(
        "targets:\n  - {{ id: pg, kind: database, engine: postgresql, address: \"127.0.0.1:{}\", database: postgres, host: db1, \
         credentials: {{ user: postgres, password: \"env:PROBITY_PG\" }} }}\n  - {{ id: db1, kind: host, address: localhost }}\n",
        postgres.port
    );
    let report = scan(&scratch, &configuration);
    let seen = report["observations"].as_array().unwrap().iter().find(|seen| seen["kind"] == "host.disk").unwrap();
    let places = seen["data"]["places"].as_array().unwrap();
    let kinds: Vec<_> = places.iter().map(|place| place["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["data", "tablespace", "wal"], "{places:?}");
    assert!(
        places.iter().all(|place| place["store"] == "pg" && place["way"].as_array().unwrap().len() > 1),
        "{places:?}"
    );
    assert_eq!(results(&report, "host.disk.at_rest").len(), 3);
}
