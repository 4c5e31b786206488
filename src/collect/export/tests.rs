//! Files of every format, and what is seen of them.

mod packed;

use super::*;
use crate::model::{ObservationStatus, SecretRef};
use serde_json::json;

fn reading(name: &str, text: &str, records: Option<&str>) -> (Fact<bool>, Reading, Vec<String>) {
    let wish = Wish { records, key: Some("user"), person: "7" };
    let mut seen = read(name, text.as_bytes(), &[wish]);
    let secrets = seen.secrets.into_iter().map(|secret| secret.in_file("f").key).collect();
    (seen.readable, seen.wished.remove(0), secrets)
}

#[test]
fn each_format_gives_its_records_the_persons_and_the_secrets() {
    for (name, text, records) in [
        ("a.json", r#"{"rows": [{"user": 7, "pwd": "x"}, {"user": "8"}, {"user": "7"}]}"#, Some("/rows")),
        ("a.ndjson", "{\"user\": 7, \"pwd\": \"x\"}\n\n{\"user\": \"8\"}\n{\"user\": \"7\"}\n", None),
        ("a.csv", "user,pwd\n7,x\n8,\n\"7\",\n", None),
        ("a.tsv", "user\tpwd\n7\tx\n8\t\n7\t\n", None),
        (
            "a.xml",
            "<?xml version=\"1.0\"?><all><row user=\"7\"><pwd>x</pwd></row><row><user>8</user></row><row><user><![CDATA[7]]></user></row></all>",
            None,
        ),
        (
            "a.xml",
            "<all><more><row user='7' pwd='x'/><row user='&#56;'/><row><user>7</user></row></more></all>",
            Some("row"),
        ),
    ] {
        let (readable, seen, secrets) = reading(name, text, records);
        assert_eq!(readable, Fact::Known(true), "{name} {text}");
        assert_eq!(seen, Reading { records: Fact::Known(3), foreign: Fact::Known(1) }, "{name} {text}");
        assert_eq!(secrets, ["f pwd"], "{name} {text}");
    }
}

#[test]
fn what_is_broken_is_neither_readable_nor_clean() {
    for (name, text) in [
        ("a.json", "{\"user\": 7"),
        ("a.ndjson", "{\"user\": 7}\nno"),
        ("a.csv", "user,name\n7\n"),
        ("a.csv", ""),
        ("a.xml", "<all><row></all>"),
        ("a.xml", "<all>"),
        ("a.xml", ""),
        ("a.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
        ("a.xml", "<a>&b;</a>"),
        ("a.pdf", "%PDF-1.7"),
        ("a.docx", "something"),
    ] {
        let (readable, seen, _) = reading(name, text, None);
        assert_eq!(readable, Fact::Known(false), "{name} {text}");
        assert_eq!((seen.records.known(), seen.foreign.known()), (None, None), "{name} {text}");
    }
    assert_eq!(
        reading("a.json", &format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), None).0,
        Fact::Known(false)
    );
    assert_eq!(reading("a.xml", &"<a>".repeat(100_000), None).0, Fact::Known(false));
    let (archive, seen, _) = reading("a.zip", "PK\u{3}\u{4}", None);
    assert_eq!((archive.known(), seen.records.known()), (None, None), "an archive within an archive is not opened");
    // What was seen of others before the break stays seen.
    let (_, seen, _) = reading("a.ndjson", "{\"user\": 8}\nno", None);
    assert_eq!((seen.records.known(), seen.foreign), (None, Fact::Known(1)));
}

#[test]
fn records_without_a_key_prove_nothing_about_others() {
    let (_, seen, _) = reading("a.json", r#"[{"user": 7}, {"name": "x"}]"#, None);
    assert_eq!((seen.records, seen.foreign.known()), (Fact::Known(2), None));
    let (_, seen, _) = reading("a.vcf", "BEGIN:VCARD\nEND:VCARD\nBEGIN:VCARD\nEND:VCARD\n", None);
    assert_eq!((seen.records, seen.foreign.known()), (Fact::Known(2), None));
}

fn schedule() -> Schedule {
    serde_json::from_value(json!({})).unwrap()
}

fn export(path: &Path) -> Portability {
    Portability {
        subject: SecretRef::Env("X".to_owned()),
        namespace: "user".parse().unwrap(),
        export: path.to_owned(),
        content: Content::default(),
    }
}

#[test]
fn an_export_that_is_not_there_is_a_failed_look() {
    assert!(ExportCollector.accepts(&Target::new("export", TargetKind::Export, "export")));
    let person = || Some(Ok(Zeroizing::new("7".to_owned())));
    let none = observe("export", None, Some(&schedule()), person(), Timestamp::UNIX_EPOCH);
    assert_eq!(none.status, ObservationStatus::Failed);
    let missing = export(Path::new("/nonexistent/export"));
    let seen = observe("export", Some(&missing), Some(&schedule()), person(), Timestamp::UNIX_EPOCH);
    assert_eq!(seen.trouble.unwrap().reason, Reason::Unreachable);
    let nobody = Some(Err(Trouble::new(Reason::AuthenticationFailed, "not set")));
    let seen = observe("export", Some(&missing), Some(&schedule()), nobody, Timestamp::UNIX_EPOCH);
    assert_eq!(seen.trouble.unwrap().reason, Reason::AuthenticationFailed);
}
