//! `probity waiver`: what it lists, what it warns of, and how it ends.

use crate::support::{Scratch, free_port, probity};
use serde_json::Value;

fn run(scratch: &Scratch, more: &[&str]) -> (i32, String, String) {
    let output = probity().current_dir(scratch.path()).arg("waiver").args(more).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn configuration(scratch: &Scratch, waivers: &str) {
    scratch.write("probity.yaml", format!("targets: [shop.example]\nwaivers:\n{waivers}"));
}

fn waiver(id: &str, check: &str, target: &str, from: i64, until: i64) -> String {
    let day =
        |days: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).strftime("%F").to_string();
    format!(
        "  - {{ id: {id}, check: {check}, target: {target}, reason: r, owner: platform, approved_by: security, created: {}, expires: {} }}\n",
        day(from),
        day(until)
    )
}

#[test]
fn each_is_listed_and_those_to_look_at_end_with_one() {
    let scratch = Scratch::new("waiver-list");
    let sound = waiver("W-1", "tls.grade", "shop.example", -10, 200);
    configuration(&scratch, &sound);
    let (code, out, errors) = run(&scratch, &["list"]);
    assert!(code == 0 && out.contains("W-1") && out.contains("200") && out.contains("platform"), "{out}{errors}");
    let (code, out, _) = run(&scratch, &["lint"]);
    assert_eq!((code, out.trim()), (0, "no waiver has to be looked at"));

    let all = [
        sound,
        waiver("W-2", "http.hsts", "shop.example", -100, -1),
        waiver("W-3", "http.cors", "shop.example", -100, 9),
        waiver("W-4", "tls.protocols.legacy", "gone.example", -1, 90),
    ];
    configuration(&scratch, &all.concat());
    let (code, out, _) = run(&scratch, &["lint", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    let ids: Vec<&str> = told.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((code, ids), (1, vec!["W-2", "W-3", "W-4"]), "{out}");
    assert_eq!(told[1]["days_left"], 9);
    assert!(told[2]["problems"][0].as_str().unwrap().contains("no declared target"));
    let (code, out, _) = run(&scratch, &["lint", "--days", "5", "--json"]);
    assert!(code == 1 && !out.contains("W-3"), "{out}");
    let (code, out, _) = run(&scratch, &["list"]);
    assert!(code == 0 && out.contains("W-1") && out.contains("ended on"), "{out}");
}

#[test]
fn what_a_run_shows_is_counted_and_what_has_no_form_is_a_mistake() {
    let scratch = Scratch::new("waiver-run");
    let target = format!("127.0.0.1:{}", free_port());
    let collect = ["collect", &target, "-q", "-o", "json=obs.json"];
    assert!(probity().current_dir(scratch.path()).args(collect).output().unwrap().status.success());
    let waived = waiver("W-1", "tls.protocols.legacy", &format!("'{target}'"), -1, 90);
    scratch.write("probity.yaml", format!("targets: ['{target}']\nwaivers:\n{waived}"));
    let (code, out, errors) = run(&scratch, &["lint", "--run", "obs.json", "--json"]);
    // Nothing answered there, so that the failure may be there or not.
    assert_eq!((code, out.trim()), (0, "[]"), "{errors}");
    let (_, out, _) = run(&scratch, &["list", "--run", "obs.json", "--json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told[0]["covers"], 0, "{out}");
    let (code, _, errors) = run(&scratch, &["list", "--run", "latest"]);
    assert!(code == 2 && errors.contains(".probity"), "{errors}");

    configuration(&scratch, &waiver("W-1", "tls.grade", "shop.example", -1, 500));
    let (code, _, errors) = run(&scratch, &["lint"]);
    assert!(code == 2 && errors.contains("longer than a year"), "{errors}");
    configuration(&scratch, &waiver("W-1", "tls.grad", "shop.example", -1, 50));
    let (code, _, errors) = run(&scratch, &["list"]);
    assert!(code == 2 && errors.contains("there is no check `tls.grad`"), "{errors}");
    configuration(&scratch, "  []\n");
    let (code, out, _) = run(&scratch, &["list"]);
    assert_eq!((code, out.trim()), (0, "the configuration has no waiver"));
}
