//! The first `probity.yaml` of a domain.

/// A commented configuration that looks at this host and shows what else can be declared.
///
/// Lines that start with `#` and no space are settings to be switched on; the others are explanations.
pub fn starter(host: &str) -> String {
    // A host from the command line may need quotes in YAML, and JSON's quotes are YAML's.
    let host = match host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
        && host.contains(|c: char| c.is_ascii_alphabetic())
        && host.contains('.')
    {
        true => host.to_owned(),
        false => serde_json::Value::from(host).to_string(),
    };
    TEXT.replace("{host}", &host)
}

const TEXT: &str = r#"# What probity looks at, and how it judges. Paths are relative to this file.

#organisation: { name: Example Ltd, country: IE, time_zone: Europe/Dublin, role: [controller], exporter_regimes: [eu] }

targets:
  # A string is an endpoint that speaks TLS, on port 443 unless another is written.
  - {host}

  # A mail server, where TLS is asked for in the protocol.
#  - { id: mx, kind: endpoint, address: "mx.example:25", starttls: smtp }

  # The mail of a domain: who may send it, and what holds senders to TLS.
#  - { id: mail, kind: domain, address: example.com }

  # A database. A secret is never written here, only where it is to be had: env:NAME, file:PATH or exec:COMMAND.
#  - id: main_pg
#    kind: database
#    engine: postgresql
#    address: db.example:5432
#    database: app
#    credentials: { user: auditor, password: "env:PROBITY_PG" }

  # A database in a file.
#  - { id: archive, kind: file, engine: sqlite, address: data/archive.sqlite }

# How long data may be kept, per data set; `store` in it is the id of a target.
#retention: { file: retention.yaml }

# Names are asked of the system's resolver, unless another is written.
#dns: { resolver: "127.0.0.1:53" }

# Vendors, their agreements and where they send data.
#vendors: { file: register.yaml }

policy:
  # A failure of this severity or above ends the run with exit code 1: info, low, medium, high, critical.
  fail_on: high
  # The controls that reports show.
  frameworks: [soc2, gdpr]
  # Per cent of the results that must have been judged; less is inconclusive.
  min_coverage: 100
  # Policies for TLS that endpoints are set against: mozilla-modern, mozilla-intermediate, pci, nist, bsi, anssi.
#  tls: [mozilla-intermediate]

# Changes to checks, by id: severity, params, or enabled with a reason.
#checks:
#  http.security_txt: { enabled: false, reason: published on the corporate site }

# Accepted deviations. Each ends at most a year after it was created.
#waivers:
#  - id: W-1
#    check: tls.protocols.legacy
#    target: {host}
#    reason: one customer's terminals speak TLS 1.1 until March
#    owner: platform
#    approved_by: head of security
#    created: 2026-11-01
#    expires: 2027-03-31
"#;
