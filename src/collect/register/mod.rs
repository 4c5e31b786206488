//! The collector of the vendor register: what the user wrote, bounded and without persons.

mod text;

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::register::Register;
use crate::model::{Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;
use serde_json::Value;

/// The kind it records.
const KIND: &str = "vendor.register";
/// The most vendors of a register.
const MAX_VENDORS: usize = 10_000;
/// The most members of any other list or mapping.
const MAX_MEMBERS: usize = 1_000;

/// Reads the vendor register that the user gave.
pub struct RegisterCollector;

impl Collector for RegisterCollector {
    fn id(&self) -> &'static str {
        "register"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Register
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move { vec![observe(&job.target.id, cx.documents.register.as_ref(), cx.clock.now())] })
    }
}

/// The observation of a register. An empty one is complete: that it lists no vendor is a fact.
pub fn observe(target: &str, register: Option<&Register>, now: Timestamp) -> Observation {
    let failed = |trouble| Observation::failed(KIND, target, "", "register", now, trouble).by(Method::Examine);
    let Some(register) = register else {
        return failed(Trouble::new(Reason::Unreachable, "no vendor register was given"));
    };
    if register.vendors.len() > MAX_VENDORS {
        return failed(Trouble::new(Reason::TooLarge, format!("the register has more than {MAX_VENDORS} vendors")));
    }
    let made = serde_json::to_value(register)
        .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))
        .and_then(|value| text::clean(value, MAX_VENDORS, MAX_MEMBERS))
        .and_then(|value| complete(target, now, &value));
    made.unwrap_or_else(failed)
}

fn complete(target: &str, now: Timestamp, value: &Value) -> Result<Observation, Trouble> {
    Observation::complete(KIND, target, "", "register", now, value)
        .map(|observation| observation.by(Method::Examine))
        .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObservationStatus;
    use crate::model::register::Vendor;
    use serde_json::json;

    fn see(register: Value) -> Observation {
        let register: Register = serde_json::from_value(register).unwrap();
        observe("vendors", Some(&register), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn only_registers_are_looked_at() {
        assert!(RegisterCollector.accepts(&Target::new("vendors", TargetKind::Register, "register.yaml")));
        assert!(!RegisterCollector.accepts(&Target::new("shop", TargetKind::Endpoint, "shop.example:443")));
        assert_eq!(RegisterCollector.yields(), ["vendor.register"]);
    }

    #[test]
    fn a_register_that_was_not_given_is_a_failed_look() {
        let seen = observe("vendors", None, Timestamp::UNIX_EPOCH);
        assert_eq!(seen.status, ObservationStatus::Failed);
        assert_eq!(seen.trouble.unwrap().reason, Reason::Unreachable);
    }

    #[test]
    fn an_empty_register_is_seen_as_empty() {
        let seen = see(json!({}));
        assert_eq!((seen.status, seen.method), (ObservationStatus::Complete, Method::Examine));
        assert_eq!(seen.data["vendors"], json!([]));
    }

    #[test]
    fn no_person_reaches_the_observation() {
        let seen = see(json!({
            "organisation": {"dpo": {"name": "Ann Example", "email": "ann@example.com"}},
            "vendors": [{"id": "acme", "owner": "Bob Example", "notes": "ask Bob", "service": "mail for eve@example.org",
                "subprocessor_list_url": "https://frank:secret@example.net/list",
                "contacts": {"privacy_email": "carol@example.net"},
                "pentest": {"tester": "Dan Example"}}]
        }));
        let text = serde_json::to_string(&seen).unwrap();
        for person in ["Ann", "ann@", "Bob", "carol", "Dan", "eve@", "frank", "secret"] {
            assert!(!text.contains(person), "{person} in {text}");
        }
        assert_eq!(seen.data["vendors"][0]["contacts"]["privacy_email"], json!(true));
        assert_eq!(seen.data["vendors"][0]["owner"], json!(true));
        assert!(seen.read::<Register>().is_ok());
    }

    #[test]
    fn hostile_text_is_bounded_and_harmless() {
        let seen = see(json!({"vendors": [{
            "id": "acme", "name": "x".repeat(1 << 20), "service": "\u{1b}[2J\u{202e}evil\r\n",
            "dpa": {"version": "=cmd()", "status": "draft"}
        }]}));
        let vendor = &seen.data["vendors"][0];
        assert!(vendor["name"].as_str().unwrap().chars().count() <= 1_000);
        assert!(!vendor["service"].as_str().unwrap().chars().any(|c| c.is_control() || c == '\u{202e}'));
        assert!(serde_json::to_string(&seen).unwrap().len() < 4_000);
    }

    #[test]
    fn too_much_is_refused_and_not_cut() {
        let many = Register { vendors: vec![Vendor::new("acme"); MAX_VENDORS + 1], ..Register::default() };
        let seen = observe("vendors", Some(&many), Timestamp::UNIX_EPOCH);
        assert_eq!(seen.trouble.unwrap().reason, Reason::TooLarge);
        let places = vec![json!({"country": "US"}); MAX_MEMBERS + 1];
        let seen = see(json!({"vendors": [{"id": "acme", "locations": places}]}));
        assert_eq!(seen.trouble.unwrap().reason, Reason::TooLarge);
    }
}
