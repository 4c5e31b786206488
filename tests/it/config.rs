//! reading what people write.

use crate::support::Scratch;
use probity::model::TargetKind;
use probity::model::target::{Depth, Profile};
use probity::target::{self, Config};
use probity::yaml::{self, Diagnostic, Document};
use proptest::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The mistakes of a configuration that must have some.
fn mistakes(path: &Path) -> Vec<Diagnostic> {
    target::load(path).err().unwrap_or_else(|| panic!("{} is read without a mistake", path.display()))
}

/// A configuration that must have none.
fn load(path: &Path) -> Config {
    target::load(path).unwrap_or_else(|mistakes| panic!("{}", words(&mistakes)))
}

fn words(mistakes: &[Diagnostic]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The text after each `# expect: ` at the head of a file.
fn expectations(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("# ")).filter_map(|line| line.strip_prefix("expect: ")).collect()
}

#[test]
fn each_bad_file_gives_its_expected_mistake() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder("bad")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let expected = expectations(&text);
        let here = format!("{}/", folder("bad").display());
        let found: Vec<String> = mistakes(&path).iter().map(|it| it.to_string().replace(&here, "")).collect();
        if expected.is_empty() || found != expected {
            wrong.push(format!("{name}\n  expected {expected:#?}\n  found {found:#?}"));
        }
        seen += 1;
    }
    assert!(seen >= 16, "the folder of bad files holds only {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_secret_in_a_bad_file_is_never_shown() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder("bad")).unwrap() {
        let path = entry.unwrap().path();
        if !std::fs::read_to_string(&path).unwrap().contains("hunter2") {
            continue;
        }
        for mistake in mistakes(&path) {
            assert!(!format!("{mistake:?}").contains("hunter2"), "{}: {mistake:?}", path.display());
            assert!(mistake.source.contains("•••••••"), "{}", path.display());
            assert!(mistake.span.clone().is_none_or(|span| mistake.source.get(span).is_some()));
        }
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} bad files hold a secret");
}

#[test]
fn the_caret_stands_under_the_secret_though_it_is_hidden() {
    let mistake = mistakes(&folder("bad/secret_in_clear.yaml")).remove(0);
    assert_eq!(&mistake.source[mistake.span.unwrap()], "•••••••");
}

#[test]
fn the_example_fits_its_schema_and_typos_do_not() {
    let schema = target::schema();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let text = std::fs::read_to_string(folder("golden/config/probity.yaml")).unwrap();
    let example: Value = yaml::read("probity.yaml", &text).unwrap();
    let mistakes: Vec<String> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    for (pointer, value) in [
        ("/targets/1/kind", Value::from("endpint")),
        ("/targets/3/credentials/password", Value::from("hunter2")),
        ("/targets/2/starttls", Value::from("smpt")),
        ("/policy/fail_on", Value::from("hihg")),
        ("/retention", serde_json::json!({ "flie": "retention.yaml" })),
    ] {
        let mut bad = example.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&bad), "{pointer} should not be valid");
    }
}

#[test]
fn vendors_in_place_make_a_target_and_take_the_organisation() {
    let scratch = Scratch::new("config-vendors");
    let path = scratch.write(
        "probity.yaml",
        "organisation: { name: Example Ltd, dpo: { name: Ann Example } }\ntargets: [shop.example]\nvendors:\n  - id: acme\n",
    );
    let config = load(&path);
    let register = config.register.as_ref().unwrap();
    assert_eq!(register.organisation.name.as_deref(), Some("Example Ltd"));
    assert_eq!(register.vendors.len(), 1);
    let target = config.target("vendors").unwrap();
    assert_eq!(target.kind, TargetKind::Register);
    assert_eq!(target.declared.as_ref().map(|place| place.line), Some(3));
    assert!(!format!("{:?}", config.organisation).contains("Ann"), "a person's name is kept");
}

#[test]
fn a_register_in_a_file_may_leave_the_organisation_to_the_configuration() {
    let scratch = Scratch::new("config-register");
    scratch.write("register.yaml", "vendors: [{ id: acme }]\n");
    let path = scratch.write("probity.yaml", "organisation: { name: Example Ltd }\nvendors: { file: register.yaml }\n");
    let config = load(&path);
    assert_eq!(config.register.as_ref().unwrap().organisation.name.as_deref(), Some("Example Ltd"));
    assert_eq!(config.register_file, Some(scratch.path().join("register.yaml")));
    assert_eq!(config.targets.len(), 1);

    scratch.write("register.yaml", "vendors:\n  - id: acme\n    owner: x\n    colour: red\n");
    let mistake = mistakes(&path).remove(0);
    assert!(mistake.file.ends_with("register.yaml") && mistake.line == 4, "{mistake}");
}

#[test]
fn the_digest_covers_the_files_that_are_named() {
    let scratch = Scratch::new("config-digest");
    scratch.write("register.yaml", "vendors: [{ id: acme }]\n");
    let path = scratch.write("probity.yaml", "targets: [shop.example]\nvendors: { file: register.yaml }\n");
    let first = load(&path).digest;
    assert!(first.starts_with("sha256:") && first.len() == 71, "{first}");
    scratch.write("probity.yaml", "# only a comment\nvendors: { file: register.yaml }\ntargets: [shop.example]\n");
    assert_eq!(load(&path).digest, first, "form is no content");
    let elsewhere = Scratch::new("config-digest-elsewhere");
    elsewhere.write("register.yaml", "vendors: [{ id: acme }]\n");
    elsewhere.write("probity.yaml", "targets: [shop.example]\nvendors: { file: register.yaml }\n");
    assert_eq!(load(&elsewhere.path().join("probity.yaml")).digest, first, "the folder is no content");
    scratch.write("register.yaml", "vendors: [{ id: acme }, { id: other }]\n");
    assert_ne!(load(&path).digest, first);
}

#[test]
fn what_cannot_be_read_is_told() {
    let scratch = Scratch::new("config-unreadable");
    let told = |path: &Path| mistakes(path).remove(0).to_string();
    assert!(told(&scratch.path().join("none.yaml")).contains("there is no such file"));
    assert!(told(scratch.path()).contains("it is a directory"));
    assert!(told(&scratch.write("empty.yaml", "  \n")).contains("it is empty"));
    assert!(
        told(&scratch.write("latin1.yaml", b"targets:\n  - caf\xe9.example\n")).contains("not UTF-8 text (line 2)")
    );
    assert!(told(&scratch.write("large.yaml", vec![b'#'; (16 << 20) + 1])).contains("larger than 16 MiB"));
    let many = format!("targets: [{}]\n", "a,".repeat(1_000_000));
    assert!(told(&scratch.write("many.yaml", many)).contains("more than 1000000 values in one file"));
    // What aliases repeat is bounded far below that.
    let list = format!("[{}]", "a,".repeat(1000));
    let repeated = format!("labels: &l {list}\ntargets: [{}]\n", "*l,".repeat(90));
    assert!(told(&scratch.write("aliases.yaml", repeated)).contains("alias"));
}

#[test]
fn names_that_only_a_catalogue_knows_are_told_with_their_place() {
    let scratch = Scratch::new("config-names");
    let text = "targets: [shop.example]\npolicy:\n  frameworks: [soc2, gdrp]\nchecks:\n  tls.grad: { severity: low }\n";
    let config = load(&scratch.write("probity.yaml", text));
    let found = config.unknown_names(&["tls.grade"], &["soc2", "gdpr"]);
    let places: Vec<_> = found.iter().map(|it| (it.line, it.column, it.label.as_deref().unwrap_or_default())).collect();
    assert_eq!(places, [(5, 3, "did you mean `tls.grade`?"), (3, 22, "did you mean `gdpr`?")]);
}

#[test]
fn a_waiver_for_no_target_is_a_hint() {
    let scratch = Scratch::new("config-hint");
    let text = "targets: [shop.example]\nwaivers:\n  - { id: W-1, check: http.hsts, target: shop.exmple, reason: r, owner: o, approved_by: a, created: 2026-11-01, expires: 2027-11-01 }\n";
    let config = load(&scratch.write("probity.yaml", text));
    assert_eq!(config.hints.len(), 1);
    assert_eq!((config.hints[0].line, config.hints[0].label.as_deref()), (3, Some("did you mean `shop.example`?")));
}

#[test]
fn the_starter_is_read_as_it_is() {
    let scratch = Scratch::new("config-starter");
    for (host, address) in
        [("shop.example", "shop.example:443"), ("[::1]:8443", "[::1]:8443"), ("127.0.0.1", "127.0.0.1:443")]
    {
        let config = load(&scratch.write("probity.yaml", target::starter(host)));
        let seen: Vec<_> = config.targets.iter().map(|target| (target.id.as_str(), target.address.as_str())).collect();
        assert_eq!(seen, [(host, address)]);
        assert!(config.hints.is_empty());
    }
}

#[test]
fn a_document_finds_places_by_path() {
    let document = Document::new("x.yaml", "a:\n  - { b: one, c.d: [x, y] }\n  - &n two\ne: *n\n");
    let item = document.root().key("a").item(0);
    let place = |spot: &yaml::Spot<'_>| {
        let found = spot.mistake("m");
        (found.line, found.column, found.source[found.span.unwrap()].to_owned())
    };
    assert_eq!(place(&item.key("b")), (2, 10, "one".to_owned()));
    assert_eq!(item.key("b").line(), 2);
    assert_eq!(document.root().key("e").text(), Some("two"), "an alias stands for what it names");
    assert_eq!(place(&item.key("c.d").item(1)), (2, 24, "y".to_owned()));
    assert_eq!(place(&item.key("c.d")), (2, 15, "c.d".to_owned()), "a list is shown by its key");
    assert_eq!(place(&document.root().key("e")), (4, 4, "*n".to_owned()));
    assert_eq!(
        place(&item.key("b").key("none")),
        (2, 10, "one".to_owned()),
        "what is absent is shown by what is above"
    );
    assert!(!item.key("none").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_end_in_time_and_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        reads_in_time(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_yaml_like_text_ends_in_time_and_without_panic(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("a: "), Just("- "), Just("\n"), Just("  "), Just("{"), Just("}"), Just("["), Just("]"), Just(", "),
                Just("&a "), Just("*a "), Just("<<: "), Just("|\n"), Just(">-\n"), Just("\""), Just("'"), Just("# "),
                Just("---\n"), Just("...\n"), Just("!t "), Just("? "), Just("%YAML 1.2\n"), Just("\t"), Just("é"),
                Just("password: hunter2"), Just("\u{feff}"), Just("targets"), Just("1e999"),
            ],
            0..60,
        )
    ) {
        reads_in_time(&parts.concat());
    }
}

fn reads_in_time(text: &str) {
    let start = Instant::now();
    let _ = yaml::read::<Value>("x.yaml", text);
    let mut document = Document::new("x.yaml", text);
    document.hide(|path, _| path.last() == Some(&"password"));
    for mistake in document.read::<Value>().err().into_iter().flatten() {
        assert!(mistake.span.clone().is_none_or(|span| mistake.source.get(span).is_some()), "{mistake:?}");
    }
    let start_of_text: String = text.chars().take(40).collect();
    assert!(start.elapsed() < Duration::from_secs(20), "{start_of_text:?}: {:?}", start.elapsed());
}

#[test]
fn large_and_hostile_texts_end_in_time() {
    let mut texts = vec![
        ": ".repeat(1 << 18),
        "[".repeat(1 << 20),
        "{a: ".repeat(1 << 18),
        "- ".repeat(1 << 18),
        "? ".repeat(1 << 18),
        "a: &a [*a, *a]\n".repeat(1 << 12),
        "password: x\n".repeat(1 << 17),
        "#\n".repeat(1 << 18),
        "\"".repeat(1 << 18),
        "!".repeat(1 << 18),
        "&".repeat(1 << 18),
        format!("a: \"{}", "\\n".repeat(1 << 18)),
        "a\n".repeat(1 << 18),
        "- a\n".repeat(1 << 17),
    ];
    texts.push((0..1 << 16).map(|n| format!("k{n}: v\n")).collect());
    for text in texts {
        reads_in_time(&text);
    }
}

#[test]
fn the_example_is_read_whole() {
    let config = load(&folder("golden/config/probity.yaml"));
    let seen: Vec<_> = config.targets.iter().map(|it| (it.id.as_str(), it.kind.word(), it.address.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("shop.example", "endpoint", "shop.example:443"),
            ("api", "endpoint", "api.example:8443"),
            ("mx", "endpoint", "mx.example:25"),
            ("main_pg", "database", "db.example:5432"),
            ("db1", "host", "db1"),
            ("archive", "file", "data/archive.sqlite"),
            ("vendors", "register", &folder("golden/config/register.yaml").display().to_string()),
        ]
    );
    assert!(config.targets.iter().all(|target| target.declared.is_some()), "a target has no line");
    assert_eq!(config.target("api").unwrap().declared.as_ref().unwrap().line, 6);
    assert_eq!(config.target("api").unwrap().connection.http_port, Some(8080));
    let database = &config.target("main_pg").unwrap().connection;
    assert_eq!(database.password.as_ref().map(|secret| secret.name()).as_deref(), Some("env:PROBITY_PG"));
    assert_eq!(database.ca_files, [folder("golden/config/certs/internal-ca.pem")]);
    assert_eq!(database.host_target.as_deref(), Some("db1"));
    assert_eq!(config.retention.as_ref().unwrap().data_sets.len(), 2);
    assert_eq!(config.register.as_ref().unwrap().vendors.len(), 2);
    assert_eq!(config.judging.waivers.len(), 1);
    assert_eq!(config.judging.checks["http.security_txt"].enabled, Some(false));
    assert!(config.hints.is_empty(), "{}", words(&config.hints));
}

#[test]
fn a_schedule_may_stand_bare_or_in_place_and_its_mistakes_have_their_line() {
    let scratch = Scratch::new("config-retention");
    let example = std::fs::read_to_string(folder("golden/config/retention.yaml")).unwrap();
    let bare: String = example.lines().skip(1).map(|line| format!("{}\n", &line[2..])).collect();
    let targets = "targets:\n  - { id: main_pg, kind: database, engine: postgresql, address: db.example }\n";
    let path = scratch.write("probity.yaml", format!("{targets}retention: {{ file: retention.yaml }}\n"));
    scratch.write("retention.yaml", &bare);
    let from_bare = load(&path).retention;
    scratch.write("retention.yaml", &example);
    assert_eq!(load(&path).retention, from_bare);
    assert_eq!(load(&scratch.write("whole.yaml", format!("{targets}{example}"))).retention, from_bare);

    scratch.write("retention.yaml", example.replace("max_age: 9 months", "max_days: 270"));
    let mistake = mistakes(&path).remove(0);
    assert_eq!(mistake.label.as_deref(), Some("did you mean `max_age`?"), "{mistake}");
    assert!(mistake.file.ends_with("retention.yaml") && mistake.line == 14, "{mistake}");

    scratch.write("retention.yaml", example.replacen("store: main_pg", "store: main_gp", 1));
    let mistake = mistakes(&path).remove(0);
    assert_eq!((mistake.line, mistake.message.as_str()), (6, "store `main_gp` is no target"));
    assert_eq!(mistake.label.as_deref(), Some("did you mean `main_pg`?"));
}

#[test]
fn the_starter_is_read_with_every_setting_switched_on() {
    let scratch = Scratch::new("config-starter-on");
    for file in ["retention.yaml", "register.yaml"] {
        std::fs::copy(folder("golden/config").join(file), scratch.path().join(file)).unwrap();
    }
    let text: String = target::starter("shop.example")
        .lines()
        .map(|line| match line.strip_prefix('#') {
            // A setting keeps its indentation after the sign; an explanation has one space and a word.
            Some(rest) if !rest.starts_with(' ') || rest.starts_with("  ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let config = load(&scratch.write("probity.yaml", text));
    let ids: Vec<_> = config.targets.iter().map(|target| target.id.as_str()).collect();
    assert_eq!(ids, ["shop.example", "mx", "mail", "main_pg", "archive", "vendors"]);
    assert!(config.retention.is_some() && config.register.is_some() && config.organisation.is_some());
    assert_eq!((config.judging.checks.len(), config.judging.waivers.len()), (1, 1));
    assert!(config.hints.is_empty(), "{}", words(&config.hints));
}

#[test]
fn targets_that_no_collector_looks_at_are_kept() {
    let scratch = Scratch::new("config-kinds");
    let text = "targets:\n  - { id: a, kind: host }\n  - { id: b, kind: objects, address: \"s3://bucket\" }\n  - { id: c, kind: cloud }\n  - { id: d, kind: domain, address: shop.example }\n";
    let config = load(&scratch.write("probity.yaml", text));
    let kinds: Vec<_> = config.targets.iter().map(|target| target.kind.word()).collect();
    assert_eq!(kinds, ["host", "objects", "cloud", "domain"]);
}

#[test]
fn a_resolver_and_anchors_of_ones_own_are_taken() {
    let scratch = Scratch::new("config-dns");
    let digest = "00".repeat(32);
    let text = format!(
        "targets:\n  - {{ id: Shop.Example, kind: domain }}\n  - {{ id: mail, kind: domain, address: b\u{fc}cher.example, dkim: [s1, a.b] }}\n\
         dns: {{ resolver: \"127.0.0.1:5353\", anchors: [\"20326 8 2 {digest}\"] }}\n"
    );
    let config = load(&scratch.write("probity.yaml", text));
    assert_eq!(config.dns.resolver, Some("127.0.0.1:5353".parse().unwrap()));
    assert_eq!((config.dns.anchors.len(), config.dns.anchors[0].key_tag), (1, 20326));
    let hosts: Vec<_> = config.targets.iter().map(|target| target.connection.host.as_str()).collect();
    assert_eq!(hosts, ["shop.example", "xn--bcher-kva.example"]);
    assert_eq!(config.targets[1].connection.dkim_selectors, ["s1", "a.b"]);
    let bare = load(&scratch.write("probity.yaml", "targets: [shop.example]\ndns: { resolver: \"::1\" }\n"));
    assert_eq!(bare.dns.resolver, Some("[::1]:53".parse().unwrap()));
}

#[test]
fn paths_start_at_the_folder_of_the_configuration() {
    let scratch = Scratch::new("config-paths");
    let text = "targets:\n  - { id: a, kind: file, engine: sqlite, address: data/a.sqlite }\n  - { id: p, kind: database, engine: postgresql, address: db, credentials: { password: \"file:pg.secret\" } }\n";
    let config = load(&scratch.write("probity.yaml", text));
    assert_eq!(config.targets[0].connection.path, Some(scratch.path().join("data/a.sqlite")));
    assert_eq!(config.targets[0].address, "data/a.sqlite");
    let password = config.targets[1].connection.password.as_ref().unwrap().name();
    assert_eq!(password, format!("file:{}/pg.secret", scratch.path().display()));
    assert_eq!(config.targets[1].address, "db:5432");
}

#[test]
fn a_target_may_be_asked_less_than_the_run() {
    let scratch = Scratch::new("config-depth");
    let text = "targets:\n  - { id: a, kind: endpoint, address: a.example, profile: quick, intrusive: false }\n  - b.example\n";
    let config = load(&scratch.write("probity.yaml", text));
    let quick = Depth { profile: Profile::Quick, intrusive: false };
    assert_eq!(config.targets[0].connection.depth, quick);
    assert_eq!(config.targets[1].connection.depth, Depth::default());
    assert_eq!(Depth::default().within(quick), quick);
    assert_eq!(quick.within(Depth::default()), quick);
}
