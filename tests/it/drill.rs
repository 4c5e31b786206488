//! A drill of the erasure, on real stores, with products that erase well, badly, late and not at all.

use crate::support::{Scratch, probity, program, signal};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The person who does not exist. No other text of the tests holds these.
const PERSON: &str = "canary-4f1d@shop.example";
const NUMBER: &str = "881155443";

/// What a run of the command gave.
struct Ran {
    code: i32,
    words: String,
    record: Option<Value>,
}

impl Ran {
    /// A data set of the record.
    fn set(&self, key: &str) -> &Value {
        let seen = self.record.as_ref().unwrap()["observations"].as_array().unwrap();
        let mut sets = seen.iter().flat_map(|one| one["data"]["sets"].as_array().unwrap());
        sets.find(|set| set["key"] == key).unwrap_or_else(|| panic!("no {key}: {}", self.words))
    }

    fn is_unknown(&self, key: &str, why: &str) -> bool {
        self.set(key)["gone"]["unknown"].as_str().is_some_and(|words| words.contains(why))
    }
}

/// A product with its store: a script that signs people up and forgets them.
struct Product {
    scratch: Scratch,
    config: String,
}

impl Product {
    /// `client` runs the SQL that follows it.
    fn new(name: &str, config: &str, client: &str) -> Product {
        let scratch = Scratch::new(name);
        let script = format!(
            "sql() {{ {client} \"$1\"; }}
case $1 in
sign-up)
  sql \"INSERT INTO visitors VALUES ('$CANARY', $CANARY_ID); INSERT INTO talks VALUES ('$CANARY'), ('$CANARY')\"
  sql \"INSERT INTO orders VALUES ($CANARY_ID)\" ;;
forget) sql \"DELETE FROM talks WHERE email = '$CANARY'; DELETE FROM orders WHERE id = $CANARY_ID; DELETE FROM visitors WHERE email = '$CANARY'\" ;;
forget-most) sql \"DELETE FROM talks WHERE email = '$CANARY'; DELETE FROM visitors WHERE email = '$CANARY'\" ;;
forget-late) (sleep 8; sh \"$0\" forget) & ;;
forget-and-note) sh \"$0\" forget; sql \"INSERT INTO notes VALUES ('$CANARY')\" ;;
esac
"
        );
        scratch.write("product", script);
        Product { scratch, config: config.to_owned() }
    }

    fn said(&self, what: &str) -> String {
        format!("sh '{}' {what}", self.scratch.path().join("product").display())
    }

    /// Has the product do something, outside of any drill.
    fn act(&self, what: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", &self.said(what)]).env("CANARY", PERSON).env("CANARY_ID", NUMBER);
        assert!(command.status().unwrap().success());
    }

    fn command(&self, more: &[&str]) -> Command {
        let file = self.scratch.write("probity.yaml", &self.config);
        let record = self.scratch.path().join("drill.json");
        let _ = std::fs::remove_file(&record);
        let mut command = Command::new(env!("CARGO_BIN_EXE_probity"));
        command.env_clear().env("PATH", std::env::var("PATH").unwrap_or_default()).env("NO_COLOR", "1");
        command.env("CANARY", PERSON).env("CANARY_ID", NUMBER);
        command.args(["prove", "erasure", "-c"]).arg(file).args(["-s", "email=env:CANARY"]);
        command.arg("-o").arg(format!("json={}", record.display())).args(more);
        command
    }

    fn ended(&self, ran: std::process::Output) -> Ran {
        let words = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
        let text = std::fs::read_to_string(self.scratch.path().join("drill.json")).ok();
        for text in text.iter().chain([&words]) {
            assert!(!text.contains(PERSON) && !text.contains(NUMBER), "the person's key is in {text}");
        }
        Ran { code: ran.status.code().unwrap(), words, record: text.map(|text| serde_json::from_str(&text).unwrap()) }
    }

    fn run(&self, more: &[&str]) -> Ran {
        self.ended(self.command(more).output().unwrap())
    }

    /// A drill by what the product does, about two kinds of key.
    fn drill(&self, insert: &str, erase: &str, within: &str) -> Ran {
        let said = |what: &str| if what.contains(' ') { what.to_owned() } else { self.said(what) };
        self.run(&[
            "-s",
            "user_id=env:CANARY_ID",
            "--insert",
            &said(insert),
            "--erase",
            &said(erase),
            "--within",
            within,
        ])
    }

    /// What a scan says of the drill, by data set.
    fn judged(&self) -> Vec<(String, String)> {
        let report = self.scratch.path().join("report.json");
        let mut command = probity();
        command.args(["scan", "-q", "-c"]).arg(self.scratch.path().join("probity.yaml"));
        if self.scratch.path().join("drill.json").exists() {
            command.arg("--proof").arg(self.scratch.path().join("drill.json"));
        }
        let ran = command.arg("-o").arg(format!("json={}", report.display())).output().unwrap();
        assert_ne!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
        let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
        let all = report["results"].as_array().unwrap().iter();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = all.filter(|result| result["check"] == "data.erasure.drill");
        of.map(|result| (word(&result["item"]), word(&result["status"]))).collect()
    }
}

fn schedule(schema: &str) -> String {
    let set = |id: &str, key: &str, namespace: &str| {
        format!(
            "    - {{ id: {id}, store: store, object: {{ table: {schema}{id} }}, kind: primary, data_categories: [contact], \
             subject_categories: [visitor], anchor: created, max_age: 90 years, legal_basis: {{ article: a, purpose: p }}, \
             action: delete, mechanism: {{ type: job, only: true }}, subject_key: {{ expr: {key}, namespace: {namespace} }} }}\n"
        )
    };
    format!(
        "retention:\n  data_sets:\n{}{}{}",
        set("visitors", "email", "email"),
        set("talks", "email", "email"),
        set("orders", "id", "user_id")
    )
}

const TABLES: &str = "CREATE TABLE visitors (email varchar(80), id int); CREATE TABLE talks (email varchar(80)); \
                      CREATE TABLE orders (id int); CREATE TABLE notes (email varchar(80));";

fn sqlite(name: &str) -> Option<Product> {
    program("sqlite3")?;
    let config =
        format!("targets: [{{ id: store, kind: file, engine: sqlite, address: data.sqlite }}]\n{}", schedule(""));
    let mut product = Product::new(name, &config, "true");
    let path = product.scratch.path().join("data.sqlite");
    rusqlite::Connection::open(&path).unwrap().execute_batch(TABLES).unwrap();
    let script = std::fs::read_to_string(product.scratch.path().join("product")).unwrap();
    let client = format!("sqlite3 -cmd '.timeout 5000' '{}'", path.display());
    product.scratch.write("product", script.replacen("true", &client, 1));
    product.config = config;
    Some(product)
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(set, status)| ((*set).to_owned(), (*status).to_owned())).collect()
}

/// What every store shows of the same products.
fn every_product(product: &Product) {
    // Nobody asked for a drill: there is no result of one, neither good nor bad.
    product.scratch.write("probity.yaml", &product.config);
    assert_eq!(product.judged(), []);
    let good = product.drill("sign-up", "forget", "60");
    assert_eq!(good.code, 0, "{}", good.words);
    assert_eq!((&good.set("talks")["before"], &good.set("talks")["after"]), (&Value::from(2), &Value::from(0)));
    assert!(!good.words.contains("may be left"), "{}", good.words);
    assert_eq!(product.judged(), pairs(&[("orders", "pass"), ("talks", "pass"), ("visitors", "pass")]));

    let bad = product.drill("sign-up", "forget-most", "6");
    assert_eq!(bad.code, 1, "{}", bad.words);
    assert!(bad.words.contains("may be left in: orders (1 row)"), "{}", bad.words);
    assert_eq!(product.judged(), pairs(&[("orders", "fail"), ("talks", "pass"), ("visitors", "pass")]));

    // Nothing is inserted, and what is there is from before: it is erased all the same.
    let stale = product.drill("exit 0", "forget", "2");
    assert_eq!(stale.code, 3, "{}", stale.words);
    assert!(stale.is_unknown("talks", "not exercised"), "{}", stale.words);
    assert_eq!(stale.set("orders")["gone"], true);
    let never = product.drill("exit 0", "forget", "2");
    assert_eq!(never.code, 3, "{}", never.words);
    assert_eq!(product.judged(), pairs(&["orders", "talks", "visitors"].map(|set| (set, "not-evaluated"))));

    let none = product.drill("sign-up", "exit 0", "6");
    assert_eq!(none.code, 1, "{}", none.words);
    assert_eq!(product.judged(), pairs(&["orders", "talks", "visitors"].map(|set| (set, "fail"))));
    product.act("forget");

    let late = product.drill("sign-up", "forget-late", "4");
    assert_eq!(late.code, 1, "{}", late.words);
    std::thread::sleep(Duration::from_secs(8));
    let in_time = product.drill("sign-up", "forget-late", "60");
    assert_eq!(in_time.code, 0, "{}", in_time.words);
}

#[test]
fn a_file_is_drilled() {
    let Some(product) = sqlite("drill-file") else { return };
    every_product(&product);
}

#[test]
fn a_step_that_breaks_off_shows_nothing_and_says_what_is_left() {
    let Some(product) = sqlite("drill-broken") else { return };
    let failing = format!("{}; exit 7", product.said("sign-up"));
    let ran = product.drill(&failing, "forget", "2");
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("talks", "the command that inserts the person ended with exit status: 7"), "{}", ran.words);
    assert!(ran.words.contains("may be left in: orders (1 row), talks (2 rows), visitors (1 row)"), "{}", ran.words);
    assert_eq!(product.judged(), pairs(&["orders", "talks", "visitors"].map(|set| (set, "not-evaluated"))));
    product.act("forget");

    let begin = Instant::now();
    let ran = product.drill("sign-up", "sleep 60; exit 0", "6");
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("visitors", "the command that erases the person did not end within 6 s"), "{}", ran.words);
    assert!(ran.words.contains("may be left in: orders (1 row)"), "{}", ran.words);
    // An erasure that says that it failed shows nothing, also where all is gone.
    let ran = product.drill("sign-up", &format!("{}; exit 1", product.said("forget")), "6");
    assert_eq!((ran.code, &ran.set("orders")["after"]), (3, &Value::from(0)), "{}", ran.words);
    assert!(!ran.words.contains("may be left"), "{}", ran.words);
    // The key is read after the person was inserted; where it cannot be had, nobody knows what is there.
    let ran = product.run(&["-s", "user_id=env:NOBODY", "--insert", &product.said("sign-up"), "--erase", "exit 0"]);
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("talks", "cannot be had") && ran.words.contains("talks (not known)"), "{}", ran.words);
}

#[test]
fn a_command_may_leave_the_key_that_the_product_gave() {
    let Some(product) = sqlite("drill-key") else { return };
    let file = product.scratch.path().join("id");
    let insert = format!("{}; echo $CANARY_ID > '{}'", product.said("sign-up"), file.display());
    let subject = format!("user_id=file:{}", file.display());
    let ran = product.run(&["-s", &subject, "--insert", &insert, "--erase", &product.said("forget"), "--within", "60"]);
    assert_eq!(ran.code, 0, "{}", ran.words);
}

#[test]
fn an_erasure_that_writes_the_person_elsewhere_is_found_out() {
    let Some(mut product) = sqlite("drill-note") else { return };
    product.config = product
        .config
        .replace("table: orders", "table: notes")
        .replace("expr: id, namespace: user_id", "expr: email, namespace: email");
    let ran = product.run(&[
        "--insert",
        &product.said("sign-up"),
        "--erase",
        &product.said("forget-and-note"),
        "--within",
        "6",
    ]);
    assert_eq!((ran.code, &ran.set("orders")["before"]), (1, &Value::from(0)), "{}", ran.words);
    assert_eq!(ran.set("orders")["gone"], false);
}

#[test]
fn what_is_not_named_or_not_searched_is_told() {
    let Some(mut product) = sqlite("drill-scope") else { return };
    let ran =
        product.run(&["--insert", &product.said("sign-up"), "--erase", &product.said("forget"), "--within", "60"]);
    assert_eq!(ran.code, 0, "{}", ran.words);
    assert_eq!(ran.record.as_ref().unwrap()["observations"][0]["data"]["left_out"], serde_json::json!(["orders"]));
    assert!(ran.words.contains("another kind of key: orders"), "{}", ran.words);
    // A data set in a store where nobody looks keeps the drill open, and is not waited for.
    product.config = product
        .config
        .replace("targets: [", "targets: [{ id: cache, kind: database, engine: redis, address: \"127.0.0.1:1\" }, ");
    product.config = product.config.replace(
        "id: talks, store: store, object: { table: talks }",
        "id: talks, store: cache, object: { key_pattern: \"talk:*\" }",
    );
    let begin = Instant::now();
    let ran =
        product.run(&["--insert", &product.said("sign-up"), "--erase", &product.said("forget"), "--within", "50"]);
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(begin.elapsed() < Duration::from_secs(40) && ran.is_unknown("talks", "nothing looked"), "{}", ran.words);
    assert_eq!(ran.set("visitors")["gone"], true);
}

#[test]
fn a_lock_and_a_file_that_is_gone_are_no_pass() {
    let Some(product) = sqlite("drill-locked") else { return };
    let path = product.scratch.path().join("data.sqlite");
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let ran = product.drill("exit 0", "exit 0", "1");
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("visitors", "locked"), "{}", ran.words);
    assert!(ran.words.contains("visitors (not known)"), "{}", ran.words);
    holder.execute_batch("ROLLBACK").unwrap();
    let ran = product.drill("sign-up", &format!("rm '{}'; exit 0", path.display()), "6");
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("visitors", "not seen after the erasure"), "{}", ran.words);
    assert!(ran.words.contains("visitors (1 row when last seen)"), "{}", ran.words);
}

#[test]
fn it_can_be_done_by_hand() {
    let Some(product) = sqlite("drill-hand") else { return };
    let mut command = product.command(&["-s", "user_id=env:CANARY_ID", "--within", "60"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(told.next().unwrap().contains("insert the person now"));
    product.act("sign-up");
    assert!(told.next().unwrap().contains("erase the person now"));
    product.act("forget");
    assert!(told.any(|line| line == "talks: gone: 2 rows before the erasure, no row after it"));
    let ran = product.ended(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.words);
    assert_eq!(ran.record.unwrap()["observations"][0]["data"]["erased"], "by hand");
    // Nobody did anything: that is no failure of the product's.
    let ran = product.run(&["--within", "1"]);
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("talks", "seen nowhere"), "{}", ran.words);
    product.act("sign-up");
    let ran = product.run(&["--within", "1"]);
    assert_eq!(ran.code, 3, "{}", ran.words);
    assert!(ran.is_unknown("talks", "whether it was tried is not known"), "{}", ran.words);
}

#[test]
fn who_stops_it_hears_what_may_be_left() {
    let Some(product) = sqlite("drill-stop") else { return };
    let begun = product.scratch.path().join("begun");
    let erase = format!("touch '{}'; sleep 60", begun.display());
    let mut command = product.command(&["--insert", &product.said("sign-up"), "--erase", &erase, "--within", "50"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !begun.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(signal(child.id(), "INT"));
    let begin = Instant::now();
    let ran = product.ended(child.wait_with_output().unwrap());
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(ran.code, 130, "{}", ran.words);
    assert!(ran.is_unknown("talks", "stopped by the user"), "{}", ran.words);
    assert!(ran.words.contains("talks (2 rows when last seen)"), "{}", ran.words);
    assert_eq!(product.judged(), pairs(&[("talks", "not-evaluated"), ("visitors", "not-evaluated")]));
}

#[test]
fn mistakes_are_told_without_the_key() {
    let Some(product) = sqlite("drill-mistakes") else { return };
    for (more, words) in [
        (vec!["-s", "user_id=881155443"], "written in clear"),
        (vec!["-s", "email=env:OTHER"], "given twice"),
        (vec!["-s", "emial=env:CANARY"], "email, user_id"),
    ] {
        let ran = product.run(&more);
        assert!(ran.code == 2 && ran.words.contains(words), "{more:?}: {}", ran.words);
        assert_eq!(ran.record, None);
    }
    let ran = product.run(&["--dry-run", "--insert", "sign-up-by-curl"]);
    assert!(ran.code == 0 && ran.record.is_none() && ran.words.contains("nothing was done"), "{}", ran.words);
    assert!(ran.words.contains("sign-up-by-curl") && ran.words.contains("orders of store"), "{}", ran.words);
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;
    use crate::support::postgres::{Postgres, Posture};

    fn config(postgres: &Postgres, user: &str) -> String {
        format!(
            "targets:\n  - {{ id: store, kind: database, engine: postgresql, address: '127.0.0.1:{}', database: postgres, \
             credentials: {{ user: {user} }} }}\n{}",
            postgres.port,
            schedule("public.")
        )
    }

    #[test]
    fn a_server_is_drilled() {
        let Some(mut postgres) = Postgres::start(Posture::Plain) else { return };
        postgres.sql("postgres", TABLES);
        let mut product = Product::new("drill-pg", &config(&postgres, "postgres"), &postgres.words());
        every_product(&product);

        // A table that is locked while the looks last.
        let mut holder = postgres.session("BEGIN; LOCK TABLE talks IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)");
        std::thread::sleep(Duration::from_secs(1));
        let ran = product.drill("exit 0", "exit 0", "1");
        assert!(ran.code == 3 && ran.is_unknown("talks", "locked"), "{}", ran.words);
        let _ = holder.kill();
        let _ = holder.wait();
        postgres.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");

        // A role that may read one table of three.
        postgres.sql("postgres", "CREATE ROLE narrow LOGIN; GRANT SELECT ON visitors TO narrow");
        product.config = config(&postgres, "narrow");
        let ran = product.drill("sign-up", "forget", "6");
        assert!(ran.code == 3 && ran.is_unknown("talks", "may not read"), "{}", ran.words);
        assert_eq!(ran.set("visitors")["gone"], true);

        // A server that dies between the looks.
        product.config = config(&postgres, "postgres");
        let kill = format!("kill -s QUIT {}; sleep 1", postgres.id());
        let ran = product.drill("sign-up", &kill, "6");
        assert!(ran.code == 3 && ran.words.contains("talks (2 rows when last seen)"), "{}", ran.words);
        assert!(ran.is_unknown("talks", "not seen after the erasure"), "{}", ran.words);
        postgres.crash();
    }
}

#[cfg(feature = "mysql")]
mod mariadb {
    use super::*;
    use crate::support::mariadb::{Mariadb, PASSWORD, Posture};

    #[test]
    fn a_server_is_drilled() {
        let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
        mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
        mariadb.sql(&format!("CREATE DATABASE app; USE app; {TABLES} GRANT SELECT ON app.* TO auditor@'%'"));
        let config = format!(
            "targets:\n  - {{ id: store, kind: database, engine: mariadb, address: '127.0.0.1:{}', database: app, \
             credentials: {{ user: auditor, password: 'file:password' }} }}\n{}",
            mariadb.port,
            schedule("")
        );
        let client = mariadb.words().replace(" -e", " -D app -e");
        let product = Product::new("drill-mariadb", &config, &client);
        product.scratch.write("password", PASSWORD);
        every_product(&product);
        mariadb.assert_gone();

        let mut holder = mariadb.session("LOCK TABLES app.talks WRITE; SELECT SLEEP(60)");
        std::thread::sleep(Duration::from_secs(1));
        let ran = product.drill("exit 0", "exit 0", "1");
        assert!(ran.code == 3 && ran.is_unknown("talks", "lock"), "{}", ran.words);
        let _ = holder.kill();
        let _ = holder.wait();

        mariadb.sql("REVOKE SELECT ON app.* FROM auditor@'%'; GRANT SELECT ON app.visitors TO auditor@'%'");
        let ran = product.drill("sign-up", "forget", "6");
        assert!(ran.code == 3 && ran.is_unknown("talks", "GRANT SELECT"), "{}", ran.words);
        mariadb.assert_gone();
    }
}
