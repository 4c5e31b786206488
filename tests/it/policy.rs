//! Policies for TLS, chosen on the command line and in the configuration, against real servers.

use crate::support::tls::nginx;
use crate::support::{Scratch, probity};
use serde_json::Value;
use std::path::Path;

const MODERN: &str = "ssl_protocols TLSv1.3; ssl_ecdh_curve X25519:prime256v1;";
const WEAK: &str = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers 'ALL:@SECLEVEL=0';";

/// Scans with these words, and gives the JSON report, the page and what was printed.
fn scan(scratch: &Scratch, words: &[&str]) -> (Value, String, String) {
    let (json, html) = (scratch.path().join("report.json"), scratch.path().join("report.html"));
    let mut command = probity();
    command.arg("scan").args(words).arg("-o").arg("table").arg("--verbose");
    command.arg("-o").arg(format!("json={}", json.display())).arg("-o").arg(format!("html={}", html.display()));
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|_| panic!("{output:?}"));
    (serde_json::from_str(&read(&json)).unwrap(), read(&html), printed)
}

/// The results of these checks, as item and status.
fn results<'a>(report: &'a Value, check: &str) -> Vec<(&'a str, &'a str)> {
    let all = report["results"].as_array().unwrap().iter().filter(|result| result["check"] == check);
    all.map(|result| (result["item"].as_str().unwrap(), result["status"].as_str().unwrap())).collect()
}

#[test]
fn a_weak_server_breaks_the_rules_that_it_should() {
    let scratch = Scratch::new("policy-weak");
    let Some((_server, port)) = nginx(&scratch, WEAK) else { return };
    let target = format!("127.0.0.1:{port}");
    let (report, page, printed) = scan(&scratch, &[&target, "--policy", "mozilla-intermediate,pci", "--policy", "bsi"]);
    assert_eq!(
        results(&report, "tls.policy"),
        [("bsi", "fail"), ("mozilla-intermediate", "fail"), ("pci", "fail")],
        "{printed}"
    );
    let rules = results(&report, "tls.policy.rule");
    for broken in ["mozilla-intermediate MOZ.versions", "pci PCI.tls11", "bsi BSI.suites12", "bsi BSI.rsa"] {
        assert!(rules.contains(&(broken, "fail")), "{broken}: {rules:?}");
    }
    assert!(rules.contains(&("pci PCI.kx_certificate", "pass")), "{rules:?}");
    assert!(printed.contains("mozilla-intermediate: not met"), "{printed}");
    assert!(page.contains("Policy pci (PCI DSS, transport over open networks, 4.0.1): not met"));
    assert!(page.contains("PCI.tls11") && page.contains("not verified against the text"));
    assert!(!page.contains("ompliant") && !printed.contains("ompliant"));
}

#[test]
fn a_policy_in_the_configuration_is_judged_and_none_is_not() {
    let scratch = Scratch::new("policy-modern");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let target = format!("127.0.0.1:{port}");
    let file = scratch.write("probity.yaml", format!("targets: [\"{target}\"]\npolicy: {{ tls: [mozilla-modern] }}\n"));
    let (report, ..) = scan(&scratch, &["-c", &file.display().to_string()]);
    // The certificate is the server's own, and has an RSA key.
    assert_eq!(results(&report, "tls.policy"), [("mozilla-modern", "fail")]);
    let rules = results(&report, "tls.policy.rule");
    for (rule, status) in [
        ("MOZ.versions", "pass"),
        ("MOZ.suites13", "pass"),
        ("MOZ.suites", "not-applicable"),
        ("MOZ.cert_type", "fail"),
        ("MOZ.trust", "fail"),
    ] {
        assert!(rules.contains(&(format!("mozilla-modern {rule}").as_str(), status)), "{rule}: {rules:?}");
    }
    let (report, page, _) = scan(&scratch, &[&target]);
    assert!(results(&report, "tls.policy").is_empty() && results(&report, "tls.policy.rule").is_empty());
    assert!(!page.contains("tls.policy") && !page.contains("Policy mozilla"));
}

#[test]
fn a_policy_that_is_not_there_is_refused_at_its_place() {
    let refused = |words: &[&str]| {
        let output = probity().arg("scan").args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(refused(&["127.0.0.1:1", "--policy", "mozilla-modrn"]).contains("did you mean `mozilla-modern`"));
    let scratch = Scratch::new("policy-unknown");
    let file = scratch.write("probity.yaml", "targets: [\"127.0.0.1:1\"]\npolicy:\n  tls: [pcy]\n");
    let told = refused(&["-c", &file.display().to_string()]);
    assert!(told.contains("pcy") && told.contains("probity.yaml:3"), "{told}");
}
