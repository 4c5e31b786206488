//! An export of one person against the stores, as a scan looks at it.

use crate::support::{Scratch, probity};
use serde_json::Value;
use std::collections::BTreeMap;

const PERSON: &str = "canary-4711";

fn config(store: &str, table: &str) -> String {
    let set = |id: &str| {
        format!(
            "    - {{ id: {id}, store: store, object: {{ table: {table}{id} }}, kind: primary, data_categories: [contact], \
             subject_categories: [visitor], timestamp: {{ expr: made, type: date }}, anchor: created, max_age: 90 years, \
             legal_basis: {{ article: a, purpose: p }}, action: delete, mechanism: {{ type: job }}, \
             subject_key: {{ expr: user_id, namespace: user_id }} }}\n"
        )
    };
    format!(
        "targets:\n  - {store}\nretention:\n  data_sets:\n{}{}{}{}portability:\n  subject: env:PROBITY_TEST_PERSON\n  namespace: user_id\n  \
         export: export\n  content:\n    map:\n      - {{ data_set: orders, file: orders.json, records: /orders, key: user_id }}\n      \
         - {{ data_set: talks, file: more/talks.csv, key: user_id }}\n      - {{ data_set: empty, file: empty.xml, key: user_id }}\n",
        set("orders"),
        set("talks"),
        set("forgotten"),
        set("empty")
    )
}

const ROWS: &str = "
    CREATE TABLE orders (user_id TEXT, made DATE); CREATE TABLE talks (user_id TEXT, made DATE);
    CREATE TABLE forgotten (user_id TEXT, made DATE); CREATE TABLE empty (user_id TEXT, made DATE);
    INSERT INTO orders VALUES ('canary-4711', '2026-01-01'), ('canary-4711', '2026-01-02'), ('other', '2026-01-02');
    INSERT INTO talks VALUES ('canary-4711', '2026-01-01'); INSERT INTO forgotten VALUES ('canary-4711', '2026-01-01');";

fn export(scratch: &Scratch) {
    scratch.write(
        "export/orders.json",
        r#"{"orders": [{"user_id": "canary-4711", "n": 1}, {"user_id": "canary-4711", "n": 2}]}"#,
    );
    scratch.write("export/more/talks.csv", "user_id,password_hash\ncanary-4711,x\nsomebody-else-99,\n");
    scratch.write("export/empty.xml", "<empty/>");
    scratch.write("export/somebody-else-99.pdf", "%PDF-1.7");
}

fn scan(scratch: &Scratch, config: &str, person: Option<&str>) -> BTreeMap<(String, String), String> {
    let file = scratch.write("probity.yaml", config);
    let report = scratch.path().join("report.json");
    let mut command = probity();
    command.args(["scan", "-c"]).arg(&file).args(["-o", &format!("json={}", report.display()), "-o", "table"]);
    if let Some(person) = person {
        command.env("PROBITY_TEST_PERSON", person);
    }
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {words}"));
    for person in [PERSON, "somebody-else-99"] {
        assert!(!text.contains(person) && !words.contains(person), "{person} is in {words}\n{text}");
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    let word = |result: &Value, key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let all = report["results"].as_array().unwrap().iter();
    all.map(|result| ((word(result, "check"), word(result, "item")), word(result, "status"))).collect()
}

fn expect(results: &BTreeMap<(String, String), String>, wanted: &[(&str, &str, &str)]) {
    for (check, item, status) in wanted {
        let seen = results.get(&((*check).to_owned(), (*item).to_owned())).map(String::as_str);
        assert_eq!(seen, Some(*status), "{check} {item} in {results:#?}");
    }
}

const WANTED: &[(&str, &str, &str)] = &[
    ("data.portability", "", "fail"),
    ("data.portability.missing", "orders", "pass"),
    ("data.portability.missing", "talks", "fail"),
    ("data.portability.missing", "forgotten", "fail"),
    ("data.portability.missing", "empty", "not-evaluated"),
    ("data.portability.leak", "orders", "pass"),
    ("data.portability.leak", "talks", "fail"),
    ("data.portability.secrets", "", "fail"),
    ("data.portability.format", "orders.json", "pass"),
    ("data.portability.format", "more/talks.csv", "pass"),
    ("data.portability.format", "file 4 (pdf)", "fail"),
];

#[test]
fn an_export_is_held_against_a_file() {
    let scratch = Scratch::new("portability");
    rusqlite::Connection::open(scratch.path().join("data.sqlite")).unwrap().execute_batch(ROWS).unwrap();
    export(&scratch);
    let config = config("{ id: store, kind: file, engine: sqlite, address: data.sqlite }", "");
    expect(&scan(&scratch, &config, Some(PERSON)), WANTED);
    // Without the person's key, and without the export, nothing is judged.
    let every = [
        "data.portability",
        "data.portability.missing",
        "data.portability.leak",
        "data.portability.secrets",
        "data.portability.format",
    ];
    let results = scan(&scratch, &config, None);
    every.iter().for_each(|check| expect(&results, &[(check, "", "not-evaluated")]));
    std::fs::remove_dir_all(scratch.path().join("export")).unwrap();
    let results = scan(&scratch, &config, Some(PERSON));
    every.iter().for_each(|check| expect(&results, &[(check, "", "not-evaluated")]));
}

/// The same export as an archive, by the programs that people pack with.
#[test]
fn a_packed_export_is_held_against_a_file() {
    let scratch = Scratch::new("portability-packed");
    rusqlite::Connection::open(scratch.path().join("data.sqlite")).unwrap().execute_batch(ROWS).unwrap();
    export(&scratch);
    let pack = |command: &str| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", command]).current_dir(scratch.path().join("export"));
        assert!(shell.status().unwrap().success(), "{command}");
    };
    let config = config("{ id: store, kind: file, engine: sqlite, address: data.sqlite }", "");
    let of = |name: &str| config.replace("export: export\n", &format!("export: {name}\n"));
    for (program, name, command) in [
        ("tar", "a.tar", "tar --sort=name -cf ../a.tar ."),
        ("tar", "a.tgz", "tar --sort=name --format=pax -czf ../a.tgz ."),
        ("zip", "a.zip", "zip -q -X ../a.zip empty.xml more/talks.csv orders.json *.pdf"),
        // Piped, so that sizes stand behind each file.
        ("zip", "b.zip", "zip -q -X - empty.xml more/talks.csv orders.json *.pdf | cat > ../b.zip"),
    ] {
        if crate::support::program(program).is_none() {
            continue;
        }
        pack(command);
        expect(&scan(&scratch, &of(name), Some(PERSON)), WANTED);
    }
    // In a folder an archive is a folder of its own name.
    pack("mkdir ../within && tar --sort=name -cf ../within/a.tar empty.xml more orders.json *.pdf");
    let within = of("within").replace("file: ", "file: a.tar/");
    let results = scan(&scratch, &within, Some(PERSON));
    expect(
        &results,
        &[("data.portability.missing", "orders", "pass"), ("data.portability.format", "a.tar/orders.json", "pass")],
    );
    // Half an archive: what was seen of others stays, and what was not seen is not absent.
    let whole = std::fs::read(scratch.path().join("a.tar")).unwrap();
    let end = whole.windows(11).position(|bytes| bytes == b"orders.json").unwrap();
    scratch.write("half.tar", &whole[..end]);
    let results = scan(&scratch, &of("half.tar"), Some(PERSON));
    expect(
        &results,
        &[
            ("data.portability.missing", "orders", "not-evaluated"),
            ("data.portability.missing", "talks", "fail"),
            ("data.portability.leak", "talks", "fail"),
            ("data.portability.leak", "orders", "not-evaluated"),
        ],
    );
}

#[cfg(feature = "postgres")]
#[test]
fn an_export_is_held_against_a_server() {
    use crate::support::postgres::{Postgres, Posture};
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let scratch = Scratch::new("portability-pg");
    postgres.sql("postgres", ROWS);
    export(&scratch);
    let store = |user: &str| {
        let port = postgres.port;
        format!(
            "{{ id: store, kind: database, engine: postgresql, address: '127.0.0.1:{port}', database: postgres, credentials: {{ user: {user} }} }}"
        )
    };
    expect(&scan(&scratch, &config(&store("postgres"), "public."), Some(PERSON)), WANTED);
    postgres.sql("postgres", "CREATE ROLE narrow LOGIN");
    let results = scan(&scratch, &config(&store("narrow"), "public."), Some(PERSON));
    expect(
        &results,
        &[("data.portability.missing", "orders", "not-evaluated"), ("data.portability.leak", "talks", "fail")],
    );
}
