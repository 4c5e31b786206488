//! What the estate keeps beside its servers: a database file with visitors, a retention schedule, a vendor register.

use super::DemoError;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;

/// Visitors in all, and those of them whom nobody has seen for more than nine months.
const VISITORS: i64 = 2_000;
const FORGOTTEN: i64 = 37;

/// Makes the database file. Each visitor was last seen on a day of the last eight months, but for the forgotten ones.
pub fn visitors(path: &Path, now: Timestamp) -> Result<(), DemoError> {
    let _ = std::fs::remove_file(path);
    let mut database = rusqlite::Connection::open(path)?;
    database.execute_batch(
        "CREATE TABLE visitors (id INTEGER PRIMARY KEY, page TEXT NOT NULL, last_seen_at TEXT NOT NULL);
         CREATE INDEX visitors_by_last_seen ON visitors (last_seen_at);",
    )?;
    let transaction = database.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO visitors (page, last_seen_at) VALUES (?1, ?2)")?;
        for n in 0..VISITORS {
            let days = if n < FORGOTTEN { 300 + n * 3 } else { n % 240 };
            let seen = now.checked_sub(SignedDuration::from_hours(24 * days))?;
            insert.execute(("/welcome", seen.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Visitors are deleted after nine months.
pub const RETENTION: &str = "\
retention:
  time_zone: Europe/Dublin
  data_sets:
    - id: visitors
      store: visitors_db
      object: { table: visitors }
      kind: primary
      data_categories: [behavioural]
      subject_categories: [visitor]
      timestamp: { expr: last_seen_at, type: iso8601_utc_text }
      anchor: last_seen
      max_age: 9 months
      grace: 1 day
      legal_basis: { article: \"6(1)(f)\", purpose: support }
      action: delete
      mechanism: { type: job, ref: nightly }
";

/// The rest of the configuration, after the endpoints.
pub const REST: &str = "
  - { id: visitors_db, kind: file, engine: sqlite, address: visitors.sqlite }

retention: { file: retention.yaml }
vendors: { file: register.yaml }

organisation: { name: Demo Ltd, role: [processor], exporter_regimes: [eu], country: IE, dpo: { required: false } }

policy:
  fail_on: high
  frameworks: [soc2, gdpr]
";

/// A hosting vendor in good order, and a mailer without an agreement.
pub fn register(now: Timestamp) -> Result<String, DemoError> {
    let ago = |days: i64| -> Result<String, DemoError> {
        let then = now.checked_sub(SignedDuration::from_hours(24 * days))?;
        Ok(then.strftime("%Y-%m-%d").to_string())
    };
    let (signed, reviewed) = (ago(700)?, ago(90)?);
    Ok(format!(
        "\
organisation: {{ name: Demo Ltd, role: [processor], exporter_regimes: [eu], country: IE, dpo: {{ required: false }} }}
vendors:
  - id: good-hosting
    name: Good Hosting
    status: active
    role: sub_processor
    service: hosting
    criticality: critical
    owner: platform
    personal_data: true
    data_categories: [contact, behavioural]
    subject_categories: [visitor]
    records_estimate: 2000
    locations: [{{ country: IE, purpose: storage }}]
    contacts: {{ privacy_email: privacy@hosting.example }}
    dpa:
      status: signed_by_both
      signed_on: {signed}
      counter_signed_on: {signed}
      last_reviewed_on: {reviewed}
      document_evidence: agreements/good-hosting.pdf
      authorisation: general
      clauses: {{ scope: \"yes\", instructions: \"yes\", confidentiality: \"yes\", security: \"yes\", subprocessing: \"yes\", flow_down: \"yes\", subject_rights: \"yes\", assistance: \"yes\", deletion: \"yes\", audit: \"yes\", unlawful_instruction: \"yes\", breach_notice: \"yes\", transfer_terms: \"yes\" }}
    subprocessors: none
    subprocessor_notice_days: 30
    breach_notice_hours: 48
    exit: {{ return_or_delete: either, deletion_days: 30, certificate: true }}
    security_review: {{ last_on: {reviewed}, outcome: accepted }}
  - id: quick-mailer
    name: Quick Mailer
    status: active
    role: sub_processor
    service: e-mail
    criticality: high
    owner: marketing
    personal_data: true
    data_categories: [contact]
    subject_categories: [visitor]
    records_estimate: 500
    locations: [{{ country: DE, purpose: storage }}]
    contacts: {{ privacy_email: privacy@mailer.example }}
    dpa: {{ status: none }}
    security_review: {{ last_on: {reviewed}, outcome: accepted }}
"
    ))
}
