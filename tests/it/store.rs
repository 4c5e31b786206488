//! The store as it is attacked, interrupted and filled: what was changed is found, what was finished stays.

use crate::support::{Scratch, probity};
use probity::catalogue::Catalogue;
use probity::gate;
use probity::model::assessment::{Evidence, Verdict};
use probity::model::{Assessment, Observation};
use probity::net::SeededRandom;
use probity::store::key::Signer;
use probity::store::note::Note;
use probity::store::verify::{Asked, Report, Weight, verify};
use probity::store::{Closing, Store, StoreError, bundle};
use probity::worker;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const EVIDENCE: &[u8] = include_bytes!("../corpus/evidence/closed-port.json");
/// Names the store that the child of [`a_process_killed_at_any_instant_loses_no_finished_run`] writes to.
const CHILD: &str = "PROBITY_TEST_STORE";

fn evidence() -> Evidence {
    worker::read_evidence(EVIDENCE).unwrap()
}

/// A small judged run of this number.
fn small(number: u32) -> (Assessment, Verdict) {
    let mut evidence = evidence();
    evidence.run.id = format!("2026-11-25T10-00-00Z-{number:08x}");
    let seen = |kind: &str, value: u32| {
        let now = evidence.run.ended;
        Observation::complete(kind, "shop", "", "test", now, &serde_json::json!({ "value": value })).unwrap()
    };
    // One that stays as it is, and one that changes from run to run.
    let observations = vec![seen("test.same", 0), seen("test.other", number)];
    let results = Vec::new();
    let assessment = Assessment {
        run: evidence.run,
        targets: evidence.targets,
        judging: evidence.judging,
        observations,
        results,
        findings: Vec::new(),
        controls: Vec::new(),
        blind_spots: Vec::new(),
        catalogue_digest: "sha256:0".to_owned(),
    };
    let verdict = gate::decide(&assessment, false);
    (assessment, verdict)
}

fn append(store: &Store, number: u32, signer: Option<&Signer>) -> Result<String, StoreError> {
    let (assessment, verdict) = small(number);
    let catalogue = BTreeMap::from([("tls/a.yaml".to_owned(), "id: tls.a".to_owned())]);
    let closing = Closing { assessment: &assessment, verdict: &verdict, catalogue: &catalogue, salt: [3; 32], signer };
    Ok(store.writer("a test")?.append(&closing)?.id)
}

fn store(folder: &Path, runs: u32, signer: Option<&Signer>) -> Store {
    let store = Store::open_or_make(folder, "shop.example").unwrap();
    (0..runs).for_each(|number| drop(append(&store, number, signer).unwrap()));
    store
}

fn verified(folder: &Path, asked: &Asked) -> Report {
    match Store::open(folder) {
        Ok(store) => verify(&store, asked, &mut |_, _| {}),
        Err(error) => {
            let mut report = Report::default();
            report.add(Weight::Tampered, "store", error.to_string());
            report
        }
    }
}

/// Every file of a store, but for those that hold nothing that is sealed.
fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    // Both follow from the rest: where artefacts lie, and who wrote last.
    found.retain(|path| !path.ends_with("index.sqlite") && !path.ends_with("lock"));
    found.sort();
    found
}

#[test]
fn a_run_comes_back_from_the_store_as_it_went_in_and_is_judged_the_same() {
    let scratch = Scratch::new("store-whole");
    let catalogue = Catalogue::built_in().unwrap();
    let assessment = worker::judge(evidence(), &catalogue).unwrap();
    let verdict = gate::decide(&assessment, false);
    let store = Store::open_or_make(scratch.path(), "shop.example").unwrap();
    let kept = worker::keep(&store, &assessment, &verdict, &catalogue, &SeededRandom::new(1), None).unwrap();
    let recalled = store.recall(&kept.id).unwrap();
    let ids = |all: &[Observation]| {
        let mut ids: Vec<String> = all.iter().map(|seen| seen.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&recalled.evidence.observations), ids(&evidence().observations));
    assert_eq!(recalled.results, assessment.results);
    let again = worker::again(&recalled).unwrap();
    assert_eq!(again.differences, Vec::<String>::new());
    assert_eq!(again.results, assessment.results.len());
    let (shown, _) = worker::assessment(store.recall(&store.find("latest").unwrap()).unwrap()).unwrap();
    assert_eq!(shown.results, assessment.results);
    assert_eq!(shown.findings, assessment.findings);
    assert_eq!(shown.controls, assessment.controls);
}

#[test]
fn a_verdict_that_was_made_up_does_not_survive_judging_again() {
    let scratch = Scratch::new("store-forged");
    let catalogue = Catalogue::built_in().unwrap();
    let mut assessment = worker::judge(evidence(), &catalogue).unwrap();
    let open = assessment.results.iter().position(|result| result.status.is_open()).unwrap();
    assessment.results[open].status = probity::model::Status::Pass;
    let verdict = gate::decide(&assessment, false);
    let store = Store::open_or_make(scratch.path(), "shop.example").unwrap();
    let kept = worker::keep(&store, &assessment, &verdict, &catalogue, &SeededRandom::new(1), None).unwrap();
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Fine);
    let again = worker::again(&store.recall(&kept.id).unwrap()).unwrap();
    assert!(again.differences.iter().any(|words| words.contains("was pass")), "{:?}", again.differences);
}

#[test]
fn each_flipped_byte_of_a_store_is_found() {
    let scratch = Scratch::new("store-flip");
    let signer = Signer::generate("shop.example").unwrap();
    store(scratch.path(), 2, Some(&signer));
    let asked = Asked { key: Some(signer.verifier().clone()), since: None };
    assert_eq!(verified(scratch.path(), &asked).worst(), Weight::Fine);
    let mut flipped = 0;
    for file in files(scratch.path()) {
        let whole = std::fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&file, &bytes).unwrap();
            let worst = verified(scratch.path(), &asked).worst();
            assert!(
                worst >= Weight::Unsigned,
                "byte {at} of {} is {:02x} for {:02x}",
                file.display(),
                bytes[at],
                whole[at]
            );
            flipped += 1;
        }
        std::fs::write(&file, &whole).unwrap();
    }
    assert!(flipped > 4_000, "{flipped}");
    assert_eq!(verified(scratch.path(), &asked).worst(), Weight::Fine);
}

#[test]
fn a_file_that_is_gone_cut_or_another_is_found() {
    let scratch = Scratch::new("store-gone");
    let signer = Signer::generate("shop.example").unwrap();
    store(scratch.path(), 3, Some(&signer));
    let asked = Asked { key: Some(signer.verifier().clone()), since: None };
    let files = files(scratch.path());
    let found = |what: &str, file: &Path| {
        let report = verified(scratch.path(), &asked);
        // The checkpoint and the leaf of the last run are what a machine leaves out that stops at that instant.
        let mended = file.parent().unwrap().ends_with("log") && report.worst() == Weight::Note;
        assert!(report.worst() == Weight::Tampered || mended, "{what}: {}: {:?}", file.display(), report.items);
    };
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        std::fs::remove_file(file).unwrap();
        found("removed", file);
        std::fs::write(file, &whole[..whole.len() - 1]).unwrap();
        found("cut", file);
        for other in files.iter().filter(|other| *other != file && other.file_name() == file.file_name()) {
            std::fs::copy(other, file).unwrap();
            if std::fs::read(other).unwrap() != whole && !file.parent().unwrap().ends_with("log") {
                found("swapped", file);
            }
        }
        std::fs::write(file, &whole).unwrap();
    }
    assert_eq!(verified(scratch.path(), &asked).worst(), Weight::Fine);
}

#[test]
fn runs_cut_off_or_written_anew_are_found_by_a_checkpoint_that_was_kept() {
    let scratch = Scratch::new("store-tail");
    let store = store(scratch.path(), 3, None);
    let kept = store.stored(&store.find("latest").unwrap()).unwrap().note;
    let since = |note: &Note| Asked { key: None, since: Some(note.clone()) };
    assert_eq!(verified(scratch.path(), &since(&kept)).worst(), Weight::Fine);
    append(&store, 3, None).unwrap();
    assert_eq!(verified(scratch.path(), &since(&kept)).worst(), Weight::Fine, "the log went on");
    // The last two runs vanish with everything that speaks of them.
    for id in store.runs().unwrap().into_iter().skip(2) {
        std::fs::remove_dir_all(scratch.path().join("runs").join(&id)).unwrap();
        std::fs::remove_file(scratch.path().join(format!("objects/packs/{id}.tar.zst"))).unwrap();
        let leaves = std::fs::read_to_string(scratch.path().join("log/leaves")).unwrap();
        let left: String = leaves.lines().filter(|line| !line.ends_with(&id)).map(|line| format!("{line}\n")).collect();
        std::fs::write(scratch.path().join("log/leaves"), left).unwrap();
    }
    let last = store.stored(&store.find("latest").unwrap()).unwrap();
    std::fs::write(scratch.path().join("log/checkpoint"), last.note.text()).unwrap();
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Fine, "the store alone cannot know");
    let report = verified(scratch.path(), &since(&kept));
    assert!(report.items.iter().any(|item| item.found.contains("cut off")), "{:?}", report.items);
    // Other runs in their place make the log longer, and another one.
    (10..13).for_each(|number| drop(append(&store, number, None).unwrap()));
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Fine);
    let report = verified(scratch.path(), &since(&kept));
    assert!(report.items.iter().any(|item| item.found.contains("another one")), "{:?}", report.items);
}

#[test]
fn a_log_signed_by_nobody_or_another_is_not_signed() {
    let (scratch, other) = (Scratch::new("store-unsigned"), Scratch::new("store-other"));
    let signer = Signer::generate("shop.example").unwrap();
    let asked = Asked { key: Some(signer.verifier().clone()), since: None };
    store(scratch.path(), 1, None);
    assert_eq!(verified(scratch.path(), &asked).worst(), Weight::Unsigned);
    store(other.path(), 1, Some(&Signer::generate("shop.example").unwrap()));
    assert_eq!(verified(other.path(), &asked).worst(), Weight::Tampered);
}

#[test]
fn one_writes_at_a_time_and_the_other_is_told_who() {
    let scratch = Scratch::new("store-lock");
    let store = store(scratch.path(), 1, None);
    let writer = store.writer("anna at ci-7").unwrap();
    let refused = append(&store, 1, None).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked(who) if who == "anna at ci-7"), "{refused}");
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Fine, "readers do not wait");
    drop(writer);
    append(&store, 1, None).unwrap();
}

#[test]
fn a_run_is_there_once() {
    let scratch = Scratch::new("store-twice");
    let store = store(scratch.path(), 2, None);
    assert!(matches!(append(&store, 1, None), Err(StoreError::Run(_))));
    assert_eq!(store.runs().unwrap().len(), 2);
}

#[test]
fn an_index_that_is_gone_or_nonsense_is_made_anew() {
    let scratch = Scratch::new("store-index");
    let store = store(scratch.path(), 3, None);
    let path = scratch.path().join("index.sqlite");
    let first = store.find("latest~2").unwrap();
    for broken in [None, Some(&b"nonsense"[..])] {
        std::fs::remove_file(&path).unwrap();
        if let Some(bytes) = broken {
            std::fs::write(&path, bytes).unwrap();
        }
        assert_eq!(store.recall(&first).unwrap().evidence.observations.len(), 2);
        assert!(path.is_file());
    }
    store.reindex().unwrap();
    assert_eq!(store.recall(&first).unwrap().evidence.observations.len(), 2);
}

#[test]
fn an_artefact_of_another_content_is_never_read() {
    let scratch = Scratch::new("store-artefact");
    let store = store(scratch.path(), 1, None);
    let id = store.find("latest").unwrap();
    let pack = scratch.path().join(format!("objects/packs/{id}.tar.zst"));
    let bytes = zstd::decode_all(std::fs::File::open(&pack).unwrap()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.contains(r#"{"value":0}"#));
    let forged = text.replace(r#"{"value":0}"#, r#"{"value":1}"#);
    std::fs::write(&pack, zstd::encode_all(forged.as_bytes(), 3).unwrap()).unwrap();
    assert!(matches!(store.recall(&id), Err(StoreError::Damaged { .. })));
}

#[test]
fn an_archive_that_is_gone_is_not_counted_on_by_the_next_run() {
    let scratch = Scratch::new("store-lost");
    let store = store(scratch.path(), 1, None);
    let first = store.find("latest").unwrap();
    std::fs::remove_file(scratch.path().join(format!("objects/packs/{first}.tar.zst"))).unwrap();
    let second = append(&store, 1, None).unwrap();
    // The same catalogue and one of the same observations were in the archive that is gone.
    assert_eq!(store.recall(&second).unwrap().evidence.observations.len(), 2);
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Tampered);
}

#[test]
fn a_log_that_cannot_be_read_is_not_one_that_was_not_finished() {
    let scratch = Scratch::new("store-unreadable");
    store(scratch.path(), 1, None);
    for file in ["log/checkpoint", "log/leaves"] {
        let path = scratch.path().join(file);
        let whole = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Tampered, "{file}");
        std::fs::remove_dir(&path).unwrap();
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_store_without_a_run_is_not_verified() {
    let scratch = Scratch::new("store-empty");
    let folder = scratch.path().join("evidence");
    Store::open_or_make(&folder, "shop.example").unwrap();
    let output = probity().arg("verify").arg(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to verify"));
}

/// The child that is killed: adds runs until then, and names each that is finished.
#[test]
#[ignore = "the body of a process that another test kills"]
fn a_writer_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let store = Store::open(Path::new(&folder)).unwrap();
    let first = store.runs().unwrap().len() as u32;
    for number in first..first + 1_000 {
        println!("finished {}", append(&store, number, None).unwrap());
    }
}

#[test]
fn a_process_killed_at_any_instant_loses_no_finished_run() {
    let delays = SeededRandom::new(25);
    let finished: usize = (0..8).map(|_| killed_25_times(&delays)).sum();
    assert!(finished >= 200, "{finished}");
}

/// Kills 25 writers of one store, and gives how many runs they finished.
fn killed_25_times(delays: &SeededRandom) -> usize {
    let scratch = Scratch::new("store-kill");
    store(scratch.path(), 1, None);
    let mut finished: Vec<String> = Vec::new();
    for _ in 0..25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::a_writer_that_is_killed", "--ignored", "--nocapture"])
            .env(CHILD, scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // From the first run on that it finished, so that the instants fall into the writing.
        let first = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("finished"));
        let mut byte = [0];
        probity::net::Random::fill(delays, &mut byte);
        std::thread::sleep(std::time::Duration::from_micros(u64::from(byte[0]) * 40));
        child.kill().unwrap();
        let rest = lines.map_while(Result::ok).filter(|line| line.starts_with("finished"));
        finished.extend(first.into_iter().chain(rest).filter_map(|line| Some(line.split_once(' ')?.1.to_owned())));
        child.wait().unwrap();
        let report = verified(scratch.path(), &Asked::default());
        let wrong: Vec<_> = report.items.iter().filter(|item| item.weight > Weight::Note).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    let store = Store::open(scratch.path()).unwrap();
    let runs = store.runs().unwrap();
    for id in &finished {
        assert!(runs.contains(id), "{id} was finished and is not there");
    }
    for id in runs.iter().step_by(17) {
        assert_eq!(store.recall(id).unwrap().evidence.observations.len(), 2);
    }
    append(&store, 1_000_000, None).unwrap();
    assert_eq!(verified(scratch.path(), &Asked::default()).worst(), Weight::Fine, "the next run tidies up");
    finished.len()
}

/// A file system of this size, for whoever may mount one.
struct Small(PathBuf);

impl Small {
    fn new(folder: &Path, size: &str) -> Option<Small> {
        std::fs::create_dir_all(folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "none"]).arg(folder).status();
        mounted.is_ok_and(|status| status.success()).then(|| Small(folder.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_no_finished_run_and_says_what_to_do() {
    let scratch = Scratch::new("store-full");
    let folder = scratch.path().join("small");
    let Some(_small) = Small::new(&folder, "size=200k") else {
        return crate::support::skip("the right to mount a tmpfs");
    };
    let store = store(&folder.join("store"), 1, None);
    let mut finished = vec![store.find("latest").unwrap()];
    let full = loop {
        match append(&store, finished.len() as u32, None) {
            Ok(id) => finished.push(id),
            Err(error) => break error,
        }
        assert!(finished.len() < 1_000, "the disk never filled");
    };
    assert!(matches!(&full, StoreError::Io { cause, .. } if cause.contains("No space")), "{full}");
    assert_eq!(store.runs().unwrap(), finished);
    assert!(verified(&folder.join("store"), &Asked::default()).worst() <= Weight::Note);
    let last = finished.last().unwrap();
    assert_eq!(store.recall(last).unwrap().evidence.observations.len(), 2);
}

#[test]
fn a_store_that_may_only_be_read_is_read_and_not_written() {
    let scratch = Scratch::new("store-readonly");
    let folder = scratch.path().join("small");
    let Some(_small) = Small::new(&folder, "size=2m") else {
        return crate::support::skip("the right to mount a tmpfs");
    };
    let store = store(&folder, 2, None);
    std::fs::remove_file(folder.join("index.sqlite")).unwrap();
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&folder).status().unwrap();
    assert!(remounted.success());
    assert_eq!(verified(&folder, &Asked::default()).worst(), Weight::Fine);
    assert_eq!(store.recall(&store.find("latest").unwrap()).unwrap().evidence.observations.len(), 2);
    assert!(matches!(append(&store, 2, None), Err(StoreError::Io { .. })));
}

fn bundle_of(signer: Option<&Signer>) -> Vec<u8> {
    let scratch = Scratch::new("store-bundle");
    let store = store(scratch.path(), 3, signer);
    let id = store.find("latest~1").unwrap();
    let reports = BTreeMap::from([("report.txt".to_owned(), b"all is well".to_vec())]);
    bundle::export(&store, &id, reports, signer).unwrap()
}

fn opened(bytes: &[u8], asked: &Asked) -> Weight {
    let opened = bundle::read(bytes).and_then(bundle::Opened::new);
    opened.map_or(Weight::Tampered, |opened| opened.verify(asked).worst())
}

#[test]
fn each_flipped_byte_of_a_bundle_is_found_or_says_nothing() {
    let signer = Signer::generate("shop.example").unwrap();
    let asked = Asked { key: Some(signer.verifier().clone()), since: None };
    let bytes = bundle_of(Some(&signer));
    assert_eq!(opened(&bytes, &asked), Weight::Fine);
    assert_eq!(opened(&bundle_of(None), &asked), Weight::Unsigned);
    let plain = zstd::decode_all(&bytes[..]).unwrap();
    // What is outside the contents: headers of the archive, which hold names, sizes, modes and times, and what fills up
    // its blocks. A name or a size that is another is found; a mode, a time and filling say nothing of the run.
    let mut contents = vec![false; plain.len()];
    let mut archive = tar::Archive::new(&plain[..]);
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        // The key that lies beside is only a convenience, and says so: who verifies has it from elsewhere.
        if entry.path().unwrap().to_str() == Some("key.pem") {
            continue;
        }
        let (from, size) = (entry.raw_file_position() as usize, entry.size() as usize);
        contents[from..from + size].fill(true);
    }
    let (mut inside, mut silent) = (0, 0);
    for at in 0..plain.len() {
        let mut changed = plain.clone();
        changed[at] ^= 0x10;
        let worst = opened(&zstd::encode_all(&changed[..], 1).unwrap(), &asked);
        if contents[at] {
            assert!(worst >= Weight::Unsigned, "byte {at}");
            inside += 1;
        } else if worst == Weight::Fine {
            silent += 1;
        }
    }
    assert!(inside > 2_000 && silent > 0, "{inside} {silent}");
}

#[test]
fn a_bundle_that_is_none_or_hostile_is_refused() {
    let archive = |files: &[(&str, &[u8])]| {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // Past the builder, which refuses such names itself.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        zstd::encode_all(&builder.into_inner().unwrap()[..], 1).unwrap()
    };
    let refused = |bytes: &[u8]| bundle::read(bytes).map(|files| files.len()).unwrap_err();
    assert!(refused(b"nothing").contains("no bundle"));
    assert!(refused(&[]).contains("no bundle"));
    assert!(refused(&archive(&[])).contains("holds nothing"));
    for name in ["../run.json", "/etc/passwd", "artefacts/../../x", "artefacts/.hidden", "other/x", "reports/a/b"] {
        assert!(refused(&archive(&[(name, b"x")])).contains("belongs to no bundle"), "{name}");
    }
    assert!(refused(&archive(&[("run.json", b"1"), ("run.json", b"2")])).contains("twice"));
    let newer = archive(&[("run.json", br#"{"schema":"probity.run/9"}"#)]);
    assert!(bundle::Opened::new(bundle::read(&newer).unwrap()).is_err());
    // Ten times what a bundle may hold, in a few kilobytes.
    let mut header = tar::Header::new_ustar();
    header.set_size(10 << 30);
    header.as_mut_bytes()[..8].copy_from_slice(b"run.json");
    header.set_cksum();
    let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
    std::io::Write::write_all(&mut bomb, header.as_bytes()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 64 << 20), &mut bomb).unwrap();
    assert!(refused(&bomb.finish().unwrap()).contains("holds more than"));
}

#[test]
fn a_bundle_is_verified_by_public_tools() {
    let Some(openssl) = crate::support::program("openssl") else { return };
    let Some(python) = crate::support::program("python3") else { return };
    drop((openssl, python));
    let scratch = Scratch::new("store-recipe");
    let signer = Signer::generate("shop.example").unwrap();
    let plain = zstd::decode_all(&bundle_of(Some(&signer))[..]).unwrap();
    scratch.write("bundle.tar", plain);
    // The very steps of the bundle's README.
    let text = include_str!("../../src/store/bundle.txt");
    let steps = text.split_once("(cd artefacts").unwrap().1;
    let steps: String = steps.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect();
    let script = format!("set -e\ntar -xf bundle.tar\n(cd artefacts{steps}");
    let run = |script: &str| Command::new("bash").args(["-c", script]).current_dir(scratch.path()).output().unwrap();
    let output = run(&script);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Signature Verified Successfully"));
    let forged = script.replace("tar -xf bundle.tar", "tar -xf bundle.tar; echo >> reports/report.txt");
    assert!(!run(&forged).status.success());
}

#[test]
fn the_command_line_compares_runs_and_gates_on_what_is_new() {
    let scratch = Scratch::new("store-diff");
    let judge = |name: &str, more: &[&str], code: i32| {
        let config = scratch.write(
            "probity.yaml",
            format!("organisation: {{ name: {name} }}\ntargets: [{{ id: {name}, kind: endpoint, address: \"127.0.0.1:1\" }}]\n"),
        );
        let mut command = probity();
        command.args(["scan", "-q", "-c"]).arg(config).arg("--store").arg(scratch.path().join("evidence")).args(more);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    };
    judge("shop", &[], 3);
    judge("desk", &[], 3);
    let at = scratch.path().join("evidence");
    let run = |arguments: &[&str], code: i32| {
        let output = probity().args(arguments).arg("--store").arg(&at).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {shown}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        shown
    };
    let shown = run(&["diff", "--exit-code"], 1);
    assert!(shown.contains("+ desk is in scope now") && shown.contains("- shop is no longer in scope"), "{shown}");
    assert!(shown.contains("lost"), "what is not evaluated is no improvement: {shown}");
    assert!(run(&["diff", "latest", "latest", "--exit-code"], 0).contains("no result changed"));
    let json: serde_json::Value = serde_json::from_str(&run(&["diff", "-f", "json"], 0)).unwrap();
    assert_eq!(json["added"], serde_json::json!(["desk"]));
    let baseline = scratch.path().join("baseline.json");
    run(&["baseline", "-o", baseline.to_str().unwrap()], 0);
    // Nothing could be judged, and no baseline accepts that.
    judge("desk", &["--baseline", baseline.to_str().unwrap()], 3);
    judge("desk", &["--baseline", "/nowhere.json"], 2);
}

#[test]
fn the_command_line_keeps_lists_shows_and_verifies() {
    let scratch = Scratch::new("store-cli");
    let evidence = scratch.write("obs.json", EVIDENCE);
    let (folder, key) = (scratch.path().join("evidence"), scratch.path().join("probity.key"));
    let new = probity().args(["key", "new", "shop.example", "-o"]).arg(&key).output().unwrap();
    let line = String::from_utf8(new.stdout).unwrap();
    assert!(line.starts_with("shop.example+"), "{line}");
    let judge = |code: i32| {
        let sign = format!("file:{}", key.display());
        let mut command = probity();
        command.arg("evaluate").arg(&evidence).args(["-q", "--sign", &sign, "--store"]).arg(&folder);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(judge(3).contains("checkpoint shop.example 1 "));
    assert!(judge(2).contains("is in the store already"));
    let run = |arguments: &[&str], code: i32| {
        let output = probity().args(arguments).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {shown}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        shown
    };
    let at = folder.to_str().unwrap();
    assert!(run(&["evidence", "list", "--store", at], 0).contains("inconclusive"));
    let shown = run(&["evidence", "show", "latest", "--store", at, "-o", "json"], 0);
    let direct = probity().arg("evaluate").arg(&evidence).args(["-o", "json"]).output().unwrap();
    assert_eq!(
        shown,
        String::from_utf8(direct.stdout).unwrap(),
        "the report of a stored run is the same, byte for byte"
    );
    assert!(run(&["verify", at, "--key", line.trim(), "--re-derive", "-v"], 0).contains("results are the same"));
    let file = scratch.path().join("run.probity.tar.zst");
    let (to, sign) = (file.to_str().unwrap(), format!("file:{}", key.display()));
    run(&["evidence", "export", "--store", at, "-o", to, "--sign", &sign], 0);
    assert!(run(&["verify", to, "--key", line.trim(), "--re-derive", "-v"], 0).contains("results are the same"));
    run(&["evidence", "export", "--store", at, "-o", "run.zip"], 2);
    run(&["verify", evidence.to_str().unwrap()], 2);
    let stranger = Signer::generate("auditor").unwrap().verifier().line();
    assert!(run(&["verify", at, "--key", &stranger], 6).contains("NOT SIGNED"));
    let records =
        std::fs::read_dir(folder.join("runs")).unwrap().next().unwrap().unwrap().path().join("records.ndjson.zst");
    let mut bytes = std::fs::read(&records).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&records, bytes).unwrap();
    assert!(run(&["verify", at], 5).contains("CHANGED"));
    probity().args(["verify", "/nowhere"]).assert().code(2);
}
