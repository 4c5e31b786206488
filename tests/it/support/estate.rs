//! A made-up estate, judged: every status, every kind of picture, and hostile text where strangers can write.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use jiff::Timestamp;
use probity::control;
use probity::model::assessment::{Assessment, Evidence, Run, Tool};
use probity::model::control::Framework;
use probity::model::policy::{Allowance, Judging};
use probity::model::target::{Engine, Place, TargetKind};
use probity::model::{Check, CheckResult, Observation, Reason, Severity, Status, Target, Trouble};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a hostile server would like us to print: colour, a cleared screen, markup, a reversed name, a formula.
pub const HOSTILE: &str = "\u{1b}[2J\u{1b}[31m<script>alert(1)</script>\u{202e}moc.knab\u{200b}=cmd()\u{9b}0m]]>--><!--\n=cmd()\r\n\t=cmd()\u{2028}=cmd()\0";

pub const IPV4: &str = "203.0.113.7:443";
pub const IPV6: &str = "[2001:db8::7]:443";

/// The instant of judgement.
pub fn as_of() -> Timestamp {
    "2026-11-23T13:40:05Z".parse().unwrap()
}

/// The assessment, with everything in it.
pub fn assessment() -> Assessment {
    let (seen, derived): (Vec<Observation>, Vec<Observation>) =
        observations().into_iter().partition(|seen| seen.inputs.is_empty());
    let frameworks = frameworks();
    let evidence = Evidence {
        schema: "probity.observations/1".to_owned(),
        run: run(),
        targets: targets(),
        judging: judging(),
        observations: seen.clone(),
    };
    let all: Vec<Observation> = seen.into_iter().chain(derived.clone()).collect();
    control::assess(evidence, derived, results(&all), &frameworks.iter().collect::<Vec<_>>(), "sha256:7d0c")
}

fn run() -> Run {
    Run {
        id: "2026-11-23T13-40-05Z-7f3a90c1".to_owned(),
        started: "2026-11-23T13:38:51Z".parse().unwrap(),
        ended: as_of(),
        trigger: "ci".to_owned(),
        principal: "pipeline@example".to_owned(),
        host: "runner-4".to_owned(),
        tool: Tool { name: "probity".to_owned(), version: "0.1.0".to_owned() },
        organisation: Some("Example SaaS Ltd".to_owned()),
        config_digest: "sha256:c0ffee".to_owned(),
        interrupted: false,
    }
}

fn targets() -> Vec<Target> {
    let at = |line| Some(Place { file: "./audit files/probity.yaml".to_owned(), line });
    let mut shop = Target::new("shop.example", TargetKind::Endpoint, "shop.example:443");
    shop.declared = at(5);
    shop.owner = Some("web team".to_owned());
    shop.environment = Some("production".to_owned());
    let mut api = Target::new("api", TargetKind::Endpoint, "api.example:8443");
    api.declared = at(6);
    let mut database = Target::new("main_pg", TargetKind::Database, "db.example:5432");
    database.engine = Some(Engine::Postgresql);
    database.connection.user = Some("auditor".to_owned());
    database.declared = at(12);
    let mut file = Target::new("archive", TargetKind::File, "data/archive.sqlite");
    file.engine = Some(Engine::Sqlite);
    let register = Target::new("vendors", TargetKind::Register, "register.yaml");
    let host = Target::new("db1", TargetKind::Host, "db1");
    vec![shop, api, database, file, register, host]
}

fn judging() -> Judging {
    let mut judging: Judging = serde_json::from_value(json!({
        "policy": { "fail_on": "high", "frameworks": ["soc2"] },
        "waivers": [
            { "id": "W-1", "check": "http.hsts", "target": "shop.example", "item": null,
              "reason": "one customer's terminals reach the shop without TLS until March", "owner": "platform",
              "approved_by": "head of security", "created": "2026-11-01", "expires": "2027-03-31" },
            { "id": "W-0", "check": "tls.grade", "target": "api", "item": null, "reason": "was being replaced",
              "owner": "platform", "approved_by": "head of security", "created": "2025-11-01", "expires": "2026-10-31" },
        ],
    }))
    .unwrap();
    judging.policy.allow_inconclusive = vec![
        Allowance {
            target: "main_pg".to_owned(),
            check: Some("db.audit_log".to_owned()),
            reason: "the log is kept by the platform".to_owned(),
            expires: Some("2027-01-31".parse().unwrap()),
        },
        Allowance { target: "api".to_owned(), check: None, reason: "moved".to_owned(), expires: None },
    ];
    judging
}

fn frameworks() -> Vec<Framework> {
    vec![
        serde_json::from_value(json!({
            "id": "soc2", "name": "SOC 2 Trust Services Criteria", "edition": "2017, revised 2022",
            "controls": {
                "C1.2": "Confidential information is disposed of when due",
                "CC6.1": "Logical access protection over assets, with encryption and key protection",
                "CC6.6": "Boundary protection against outside threats",
                "CC6.7": "Data in motion and on removable media is restricted and protected",
                "CC7.2": "Systems are monitored for anomalies",
                "CC9.2": "Vendor and partner risk is assessed and managed",
                "CC1.1": "Integrity and ethics are lived and enforced",
            },
            "checks": {
                "tls.protocols.legacy": [{ "control": "CC6.7" }],
                "tls.certificate.revocation": [{ "control": "CC6.7" }],
                "tls.suites.weak": [{ "control": "CC6.7" }],
                "tls.certificate.expiry": [{ "control": "CC6.7" }, { "control": "CC6.6", "relation": "partly" }],
                "http.hsts": [{ "control": "CC6.7" }],
                "db.at_rest": [{ "control": "CC6.1" }],
                "db.auth.methods": [{ "control": "CC6.1" }],
                "db.audit_log": [{ "control": "CC7.2" }],
                "data.retention": [{ "control": "C1.2" }],
                "vendor.dpa": [{ "control": "CC9.2" }],
            },
        }))
        .unwrap(),
    ]
}

/// The checks that ran, by id, with words for people.
pub fn checks() -> BTreeMap<String, Check> {
    let all = [
        ("data.retention", "No row is kept longer than its schedule allows", "high"),
        ("db.at_rest", "The files of the database are encrypted", "high"),
        ("db.audit_log", "New sessions and changes are logged", "medium"),
        ("db.auth.methods", "Clients prove who they are by a strong method", "critical"),
        ("http.hsts", "Browsers are told to use TLS for at least 180 days", "medium"),
        ("tls.certificate.expiry", "No certificate ends within 21 days", "high"),
        ("tls.certificate.revocation", "The certificate is shown not to be revoked", "high"),
        ("tls.grade", "The grade is A or better", "medium"),
        ("tls.protocols.legacy", "Only TLS 1.2 and newer are offered", "high"),
        ("tls.suites.weak", "No weak cipher suite is accepted", "low"),
        ("vendor.dpa", "Every processor has an agreement in force", "high"),
        ("vendor.review", "A person has read each vendor's report this year", "info"),
    ];
    all.into_iter().map(|(id, title, severity)| (id.to_owned(), check(id, title, severity))).collect()
}

fn check(id: &str, title: &str, severity: &str) -> Check {
    serde_json::from_value(json!({
        "id": id, "version": "1.0.0", "title": title, "kind": "machine", "severity": severity, "subject": "endpoint",
        "needs": ["tls.protocols"], "rule": "true",
        "docs": {
            "why": "What is old can be read or changed on the way by whoever sits between. Attacks on it are public and cheap.",
            "audit": format!("openssl s_client -tls1_1 -connect shop.example:443   # for {id}"),
            "remediation": "nginx: `ssl_protocols TLSv1.2 TLSv1.3;`\nApache: `SSLProtocol -all +TLSv1.2 +TLSv1.3`",
            "does_not_establish": "That no other port of the same machine offers it.",
            "references": ["RFC 8996"],
        },
        "tests": [],
    }))
    .unwrap()
}

fn seen(kind: &str, target: &str, part: &str, data: Value) -> Observation {
    Observation::complete(kind, target, part, kind.split('.').next().unwrap(), as_of(), &data).unwrap()
}

fn observations() -> Vec<Observation> {
    let mut all = Vec::new();
    for (part, versions) in
        [(IPV4, ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"].as_slice()), (IPV6, &["TLSv1.2", "TLSv1.3"])]
    {
        let protocols = seen("tls.protocols", "shop.example", part, protocols(versions));
        all.push(seen("tls.suites", "shop.example", part, suites(versions)));
        all.push(seen("tls.certificates", "shop.example", part, certificates()));
        all.push(seen("tls.groups", "shop.example", part, groups()));
        all.push(
            seen("tls.grade", "shop.example", part, grade(versions.len() > 2)).from_inputs(vec![protocols.id.clone()]),
        );
        all.push(protocols);
    }
    let late = Trouble::new(Reason::TimedOut, "no OCSP answer within 10 s");
    all.push(Observation::failed("tls.revocation", "shop.example", IPV4, "tls", as_of(), late));
    all.push(seen(
        "http.hsts",
        "shop.example",
        "",
        json!({ "present": true, "status": "short", "why": "", "max_age": 300,
        "include_subdomains": false, "preload": false, "multiple": false, "whitespace": false, "ip_host": false,
        "certificate_error": false, "preloaded": { "unknown": "the list was not read" }, "preload_obstacles": [] }),
    ));
    let refused = Trouble::new(Reason::Refused, format!("connection refused {HOSTILE}"));
    all.push(Observation::failed("tls.protocols", "api", "198.51.100.9:8443", "tls", as_of(), refused));
    all.extend(database());
    let register = seen("vendor.register", "vendors", "", json!({ "vendors": [] }));
    all.push(seen("vendor.coverage", "vendors", "", coverage()).from_inputs(vec![register.id.clone()]));
    all.push(register);
    all
}

fn database() -> Vec<Observation> {
    let unknown = |why: &str| json!({ "unknown": why });
    let denied = Trouble::new(Reason::PermissionDenied, "the role auditor may not read pg_settings");
    let at_rest = |layers: Value| {
        json!({ "applicable": true, "layers": layers, "files": [],
        "not_covered": ["snapshots", "exports", "memory"], "would_show": ["cryptsetup status of the device on db1"] })
    };
    let layer = |name: &str, encrypted: Value, level: u8, source: &str| {
        json!({ "layer": name, "encrypted": encrypted,
        "algorithm": unknown("not told"), "key_bits": unknown("not told"), "mode": unknown("not told"),
        "scope": "the whole server", "level": level, "source": source, "key_location": unknown("not told") })
    };
    let server = seen(
        "db.at_rest",
        "main_pg",
        "",
        at_rest(json!([
            layer("disk", unknown("the host was not looked at"), 0, "nobody said"),
            layer("instance", json!(false), 2, "pg_control_init()"),
        ])),
    );
    let plain = seen(
        "db.at_rest",
        "archive",
        "",
        at_rest(json!([layer("file", json!(false), 5, "the first page is readable")])),
    );
    let encryption = |encrypted: Value, level: u8, headline: &str| {
        json!({ "applicable": true, "encrypted": encrypted,
        "level": level, "conflict": false, "algorithm": "none", "key_bits": 0, "mode": "none", "headline": headline,
        "facts": [headline], "not_covered": ["snapshots", "exports"], "would_show": ["cryptsetup status of the device on db1"] })
    };
    vec![
        seen(
            "db.transport",
            "main_pg",
            "",
            json!({ "applicable": true, "tls_offered": true, "certificate_verified": false,
            "session": { "protocol": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "bits": 256 }, "ssl_setting": "on",
            "min_protocol": "TLSv1.2", "max_protocol": "any", "plaintext_login": "accepted", "plain_sessions": 0,
            "remote_sessions": 4, "hba": unknown("not read"), "encryption": [], "plaintext": [] }),
        ),
        Observation::failed("db.audit", "main_pg", "", "postgres", as_of(), denied),
        seen(
            "db.encryption",
            "main_pg",
            "",
            encryption(unknown("the host was not looked at"), 2, "not shown: the disk below was not looked at"),
        )
        .from_inputs(vec![server.id.clone()]),
        seen("db.encryption", "archive", "", encryption(json!(false), 5, "plain: the first page is readable"))
            .from_inputs(vec![plain.id.clone()]),
        server,
        plain,
        seen("data.retention", "main_pg", "", retention()),
    ]
}

fn protocols(versions: &[&str]) -> Value {
    let all = ["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    json!({
        "offered": versions.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "refused": all.iter().filter(|name| !versions.contains(name)).collect::<Vec<_>>(),
        "unknown": [], "proofs": [], "fallback_scsv": "yes", "downgrade_sentinel": "yes", "ssl2_without_kinds": false,
    })
}

fn suites(versions: &[&str]) -> Value {
    let known = [
        ("TLSv1.3", "0x1302", "TLS_AES_256_GCM_SHA384", 256, "recommended"),
        ("TLSv1.3", "0x1301", "TLS_AES_128_GCM_SHA256", 128, "recommended"),
        ("TLSv1.2", "0xC030", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 256, "recommended"),
        ("TLSv1.2", "0xC014", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 256, "cbc"),
        ("TLSv1.1", "0xC014", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 256, "cbc"),
        ("TLSv1.0", "0xC014", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 256, "cbc"),
        ("TLSv1.0", "0x000A", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", 112, "weak"),
    ];
    let accepted = known.iter().filter(|(version, ..)| versions.contains(version));
    let suites: Vec<Value> = accepted
        .map(|(protocol, id, name, bits, class)| {
            json!({ "protocol": protocol, "id": id, "name": name, "openssl_name": "",
            "kx": "ECDHE", "auth": "RSA", "enc": "AES", "bits": bits, "block_bits": 128, "mac": "AEAD", "pfs": true,
            "aead": *class == "recommended", "export": false, "class": class, "strength": 3072, "group": "x25519" })
        })
        .collect();
    json!({ "suites": suites, "order": [], "incomplete": [] })
}

fn certificates() -> Value {
    let link = |subject: &str, issuer: &str, key: &str, until: &str| {
        json!({ "sha256": "ab".repeat(32), "subject": subject,
        "issuer": issuer, "key": key, "signature_hash": "sha256", "not_after": until })
    };
    json!({ "server_name": "shop.example", "anchors": "mozilla 2026-10", "deployments": [{
        "id": "ab".repeat(32), "protocols": ["TLSv1.2", "TLSv1.3"],
        "leaf": { "subject": format!("CN=shop.example,O={HOSTILE}"), "issuer": "CN=Example TLS CA 1", "serial": "04d2",
            "key_type": "RSA", "key_bits": 2048, "key_strength": 2048, "curve": "", "exponent": "65537",
            "signature": "sha256WithRSAEncryption", "signature_hash": "sha256", "not_before": "2026-10-14T00:00:00Z",
            "not_after": "2027-01-12T00:00:00Z", "lifetime_days": 90, "names": ["shop.example"], "name_count": 1,
            "self_signed": false, "ca": false, "server_auth": true, "ocsp": [], "crl": [] },
        "chain": [link(&format!("CN=shop.example,O={HOSTILE}"), "CN=Example TLS CA 1", "RSA 2048", "2027-01-12T00:00:00Z"),
            link("CN=Example TLS CA 1", "CN=Example Root", "RSA 4096", "2031-05-01T00:00:00Z")],
        "trust": "trusted", "trust_detail": "", "private_anchor": false, "anchor": "CN=Example Root", "order_ok": true,
        "extra": 0, "contains_anchor": false, "name_matches": true, "staple": "absent", "must_staple": false, "days_left": 50,
    }] })
}

fn groups() -> Value {
    let group = |id: &str, name: &str, kind: &str, bits: u32, pq: bool| {
        json!({ "protocols": ["TLSv1.3"], "id": id, "name": name,
        "kind": kind, "rsa_equiv_bits": bits, "pq": pq, "class": "recommended" })
    };
    json!({ "groups": [group("0x11EC", "X25519MLKEM768", "hybrid", 7680, true), group("0x001D", "x25519", "ecdhe", 3072, false)],
        "order": "server", "incomplete": [], "ignores_list": false })
}

fn grade(capped: bool) -> Value {
    let caps = if capped {
        json!([{ "code": "CAP_TLS10", "limit": "B", "reason": "TLS 1.0 offered", "observations": [] }])
    } else {
        json!([])
    };
    json!({ "letter": if capped { "B" } else { "A" }, "letter_ignoring_trust": "A", "score": { "protocol": 95.0,
        "key_exchange": 90.0, "cipher": 90.0, "total": 91.5 }, "provisional": false, "incomplete": [], "caps": caps,
        "warnings": [], "not_plus": [], "trust": [], "findings": [], "rules_version": "2009r/1" })
}

fn coverage() -> Value {
    let ratio = |n: u64, d: u64, text: &str| json!({ "numerator": n, "denominator": d, "text": text });
    let dimension = |name: &str, n: u64, d: u64, text: &str| {
        json!({ "dimension": name, "covered": n, "partial": 1, "uncovered": 1,
        "unknown": d - n - 2, "not_applicable": 0, "denominator": d, "by_vendor": ratio(n, d, text), "effective": "3.5/5",
        "unknown_share": ratio(d - n - 2, d, "0.0"), "by_category": { "contact": ratio(2, 4, "50.0"), "phi": ratio(1, 1, "100.0") },
        "headline_sensitive": null, "by_volume": { "ratio": ratio(4_000_000, 4_200_000, "95.2"), "excluded": ["chat"],
        "excluded_share": ratio(1, 5, "20.0") }, "by_weight": ratio(7, 11, "63.6") })
    };
    json!({ "as_of": "2026-11-23", "law_data_version": "2026-11", "policy_overrides": [], "population": 5,
        "dimensions": [dimension("dpa", 3, 5, "60.0"), dimension("transfer", 2, 5, "40.0")], "not_judged": ["flowdown"],
        "vendors": [
            { "id": "aws", "overall": "covered", "states": { "dpa": "covered", "transfer": "covered" } },
            { "id": format!("old-mailer {HOSTILE}"), "overall": "uncovered", "states": { "dpa": "partial", "transfer": "uncovered" } },
        ] })
}

fn results(observations: &[Observation]) -> Vec<CheckResult> {
    let mut all = vec![
        made(
            "tls.protocols.legacy",
            "shop.example",
            IPV4,
            "TLSv1.0",
            Status::Fail,
            Severity::High,
            "offers TLSv1.0",
            json!("TLSv1.2 or newer"),
            json!("TLSv1.0"),
        ),
        made(
            "tls.protocols.legacy",
            "shop.example",
            IPV4,
            "TLSv1.1",
            Status::Fail,
            Severity::High,
            "offers TLSv1.1",
            json!("TLSv1.2 or newer"),
            json!("TLSv1.1"),
        ),
        made(
            "tls.protocols.legacy",
            "shop.example",
            IPV6,
            "TLSv1.2",
            Status::Pass,
            Severity::High,
            "offers TLSv1.2",
            json!("TLSv1.2 or newer"),
            json!("TLSv1.2"),
        ),
        made(
            "tls.protocols.legacy",
            "shop.example",
            IPV6,
            "TLSv1.3",
            Status::Pass,
            Severity::High,
            "offers TLSv1.3",
            json!("TLSv1.2 or newer"),
            json!("TLSv1.3"),
        ),
        made(
            "tls.certificate.expiry",
            "shop.example",
            IPV4,
            "",
            Status::Pass,
            Severity::High,
            "ends in 50 days",
            json!(21),
            json!(50),
        ),
        made(
            "tls.certificate.expiry",
            "shop.example",
            IPV6,
            "",
            Status::Pass,
            Severity::High,
            "ends in 50 days",
            json!(21),
            json!(50),
        ),
        made(
            "tls.certificate.revocation",
            "shop.example",
            IPV4,
            "",
            Status::NotEvaluated,
            Severity::High,
            "not evaluated: no OCSP answer within 10 s",
            Value::Null,
            Value::Null,
        ),
        made(
            "http.hsts",
            "shop.example",
            "",
            "",
            Status::Fail,
            Severity::Medium,
            "max-age is 300 seconds",
            json!(15_552_000),
            json!(300),
        ),
        made(
            "db.auth.methods",
            "main_pg",
            "",
            "line 12: host all 0.0.0.0/0 trust",
            Status::Fail,
            Severity::Critical,
            "admits clients of other machines without any proof",
            json!("scram-sha-256 or a certificate"),
            json!("trust"),
        ),
        made(
            "db.audit_log",
            "main_pg",
            "",
            "",
            Status::NotEvaluated,
            Severity::Medium,
            "not evaluated: the role auditor may not read pg_settings",
            Value::Null,
            Value::Null,
        ),
        made(
            "db.at_rest",
            "main_pg",
            "",
            "",
            Status::NotEvaluated,
            Severity::High,
            "not evaluated: the host was not looked at",
            Value::Null,
            Value::Null,
        ),
        made(
            "db.at_rest",
            "archive",
            "",
            "",
            Status::Fail,
            Severity::High,
            "the first page is readable",
            json!("encrypted"),
            json!("plain"),
        ),
        made(
            "data.retention",
            "main_pg",
            "",
            "visitors",
            Status::Fail,
            Severity::Medium,
            "1843 rows are older than 9 months",
            json!(0),
            json!(1843),
        ),
        made(
            "data.retention",
            "main_pg",
            "",
            "conversations",
            Status::Pass,
            Severity::Medium,
            "no row is older than 24 months",
            json!(0),
            json!(0),
        ),
        made(
            "db.audit_log",
            "archive",
            "",
            "",
            Status::NotApplicable,
            Severity::Medium,
            "a database file has no server that could log",
            Value::Null,
            Value::Null,
        ),
        made(
            "vendor.dpa",
            "vendors",
            "",
            &format!("old-mailer {HOSTILE}"),
            Status::Fail,
            Severity::Low,
            HOSTILE,
            json!(["in force", "signed by both"]),
            json!(HOSTILE),
        ),
        made(
            "vendor.dpa",
            "vendors",
            "",
            "aws",
            Status::Pass,
            Severity::High,
            "incorporated by terms",
            json!("in force"),
            json!("in force"),
        ),
        made(
            "vendor.review",
            "vendors",
            "",
            "chat",
            Status::NeedsReview,
            Severity::Info,
            "a person must read the report of chat",
            Value::Null,
            Value::Null,
        ),
        made(
            "vendor.dpa",
            "vendors",
            "",
            "chat",
            Status::Error,
            Severity::High,
            "the rule broke: no such overload",
            Value::Null,
            Value::Null,
        ),
        made(
            "tls.suites.weak",
            "shop.example",
            IPV4,
            "TLSv1.0 0x000A",
            Status::Fail,
            Severity::Info,
            &format!("accepts {}", "x".repeat(1 << 20)),
            json!(["recommended", "secure"]),
            json!("y".repeat(1 << 20)),
        ),
    ];
    for n in 0..9 {
        let item = format!("TLSv1.2 0xC0{n:02}");
        all.push(made(
            "tls.suites.weak",
            "shop.example",
            IPV4,
            &item,
            Status::Fail,
            Severity::Low,
            "accepts a suite without forward secrecy",
            json!("ECDHE"),
            json!("RSA"),
        ));
    }
    for name in
        ["tls.protocols.legacy", "tls.certificate.expiry", "tls.certificate.revocation", "tls.suites.weak", "tls.grade"]
    {
        all.push(made(
            name,
            "api",
            "198.51.100.9:8443",
            "",
            Status::NotEvaluated,
            Severity::High,
            &format!("not evaluated: connection refused {HOSTILE}"),
            Value::Null,
            Value::Null,
        ));
    }
    for result in &mut all {
        let family = result.check.split('.').next().unwrap();
        let cited = observations
            .iter()
            .filter(|seen| seen.target == result.target && seen.part == result.part && seen.kind.starts_with(family));
        result.observations = cited.map(|seen| seen.id.clone()).collect();
    }
    all
}

#[expect(clippy::too_many_arguments, reason = "one row of a table of results")]
fn made(
    check: &str,
    target: &str,
    part: &str,
    item: &str,
    status: Status,
    severity: Severity,
    reason: &str,
    expected: Value,
    actual: Value,
) -> CheckResult {
    CheckResult {
        check: check.to_owned(),
        version: "1.0.0".to_owned(),
        origin: "built-in".to_owned(),
        digest: "00".repeat(32),
        target: target.to_owned(),
        part: part.to_owned(),
        item: item.to_owned(),
        status,
        severity,
        reason: reason.to_owned(),
        expected,
        actual,
        observations: Vec::new(),
        relaxed: Vec::new(),
        accepted: false,
    }
}

fn retention() -> Value {
    let set = |id: &str, max_age: &str, cutoff: &str, oldest: &str, violating: u64, overdue: i64| {
        json!({
        "id": id, "object": format!("public.{id}"), "anchor": "last_seen", "max_age": max_age, "grace": "1 day",
        "time_zone": "UTC", "as_of_day": "2026-11-23", "cutoff_day": cutoff, "cutoff_utc": format!("{cutoff}T00:00:00Z"),
        "strategy": "index", "exact": true, "violating": violating, "capped": false, "severity": "medium",
        "sampled": { "unit": "", "pages": 0, "rows": 0, "violating": 0, "rate_bound_ppm": 0 }, "accepted_by_sample": false,
        "undatable": 4, "sentinels": [], "future": 0, "held": 12, "soft_deleted": 0, "fallback_dated": 0,
        "oldest_day": oldest, "overdue_days": overdue, "total_estimate": 210_000, "sensitive": false, "action": "delete",
        "legal_basis": "6(1)(f)", "mechanism": "job expire_visitors", "query": "select count(*) from public.visitors",
        "plan": "index only", "notes": [], "summary": format!("{violating} rows past their time") })
    };
    let mut unknown = set("sessions", "30 days", "2026-10-23", "2026-10-30", 0, 0);
    for name in ["violating", "oldest_day", "overdue_days"] {
        unknown[name] = json!({ "unknown": "no index, and the table is too large to read" });
    }
    json!({ "data_sets": [
        set("visitors", "9 months", "2026-02-22", "2025-11-02", 1843, 112),
        set("conversations", "24 months", "2024-11-22", "2025-03-02", 0, 0),
        unknown,
    ], "holds": [], "backups": [], "skew_s": 0, "server_version": "15.14", "tz_version": "2026b" })
}
