//! What the server tells of its transport: its mode, the versions of TLS, and which of them were used.

use super::settings::Settings;
use crate::collect::answer::map;
use crate::collect::direct::Told;
use crate::model::Fact;
use crate::model::database::Sign;

/// The way in that the server's own settings show.
pub const RULE: &str = "rules for other machines";
/// The versions of TLS, oldest first, as options and as the state name them.
const VERSIONS: [(&str, &str, &str); 4] = [
    ("TLS1_0", "1.0", "TLSv1.0"),
    ("TLS1_1", "1.1", "TLSv1.1"),
    ("TLS1_2", "1.2", "TLSv1.2"),
    ("TLS1_3", "1.3", "TLSv1.3"),
];

/// The mode in today's words: `disabled`, `allowTLS`, `preferTLS` or `requireTLS`.
fn mode(settings: &Settings) -> Fact<String> {
    map(&settings.option("net/tls/mode", "net/ssl/mode"), |mode| {
        mode.as_deref().unwrap_or("disabled").replace("SSL", "TLS")
    })
}

/// The facts.
pub fn facts(settings: &Settings) -> Told {
    let mode = mode(settings);
    Told {
        switch: map(&mode, |mode| if mode == "disabled" { "off" } else { "on" }.to_owned()),
        versions: versions(settings),
        sessions: Fact::unknown("the server does not tell which clients are inside TLS"),
        encryption: between(settings, &mode).into_iter().collect(),
        plaintext: vec![rule(settings, &mode)],
    }
}

/// Whether what members of a replica set or of a cluster send each other is encrypted; nothing where there are none.
fn between(settings: &Settings, mode: &Fact<String>) -> Option<Sign> {
    const NAME: &str = "traffic of replication";
    let member = match (settings.hello.text("setName"), settings.is_router()) {
        (Fact::Known(set), Fact::Known(router)) => Fact::Known(set.is_some() || router),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
    };
    match (&member, mode) {
        (Fact::Known(false), _) => None,
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Some(Sign::new(NAME, Fact::Unknown(why.clone()), "")),
        (Fact::Known(true), Fact::Known(mode)) => {
            let inside = matches!(mode.as_str(), "preferTLS" | "requireTLS");
            Some(Sign::new(NAME, Fact::Known(inside), format!("net.tls.mode is {mode}")))
        }
    }
}

/// The versions that are accepted: what the options leave, and what was used in spite of them.
fn versions(settings: &Settings) -> Fact<(String, String)> {
    let disabled = match settings.option("net/tls/disabledProtocols", "net/ssl/disabledProtocols") {
        // Where nothing is said, 1.0 is off since version 4.0.
        Fact::Known(list) => list.unwrap_or_else(|| "TLS1_0".to_owned()),
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let disabled: Vec<&str> = disabled.split(',').map(str::trim).collect();
    let known = |word: &&str| matches!(*word, "none" | "noTLS1_0" | "") || VERSIONS.iter().any(|one| one.0 == *word);
    if !disabled.iter().all(known) {
        return Fact::unknown("disabledProtocols names versions that are not known here");
    }
    let mut used = Vec::new();
    for (_, counter, _) in VERSIONS {
        match settings.status.text(&format!("transportSecurity/{counter}")) {
            Fact::Known(count) => used.push(count.is_some_and(|count| count != "0")),
            Fact::Unknown(why) => return Fact::Unknown(why),
        }
    }
    let accepted = |(index, one): (usize, &(&str, &str, &'static str))| {
        let on = !disabled.contains(&one.0) || used.get(index).copied().unwrap_or_default();
        on.then(|| one.2.to_owned())
    };
    let mut accepted = VERSIONS.iter().enumerate().filter_map(accepted);
    let oldest = accepted.next();
    let newest = accepted.next_back().or_else(|| oldest.clone());
    oldest.zip(newest).map_or_else(|| Fact::unknown("disabledProtocols leaves no version"), Fact::Known)
}

/// Whether clients without TLS are taken from other machines.
fn rule(settings: &Settings, mode: &Fact<String>) -> Sign {
    match (mode, settings.is_reachable()) {
        (Fact::Known(mode), _) if mode == "requireTLS" => {
            Sign::new(RULE, Fact::Known(false), "net.tls.mode is requireTLS")
        }
        (Fact::Known(mode), Fact::Known(false)) => Sign::new(
            RULE,
            Fact::Known(false),
            format!("net.tls.mode is {mode}, and the port is for this machine alone"),
        ),
        (Fact::Known(mode), Fact::Known(true)) => {
            Sign::new(RULE, Fact::Known(true), format!("net.tls.mode is {mode}, and other machines reach the port"))
        }
        (Fact::Unknown(why), _) => Sign::new(RULE, Fact::Unknown(why.clone()), ""),
        (_, Fact::Unknown(why)) => Sign::new(RULE, Fact::Unknown(why), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::tests::{blind, settings};
    use super::*;
    use bson::{RawDocumentBuf, rawdoc};

    fn told(net: RawDocumentBuf, status: RawDocumentBuf) -> Told {
        facts(&settings(rawdoc! { "net": net }, status))
    }

    fn oldest(told: &Told) -> Option<&str> {
        told.versions.known().map(|(oldest, _)| oldest.as_str())
    }

    #[test]
    fn only_required_tls_or_loopback_shuts_clients_in_clear_out() {
        let way_in = |mode: &str, bind: &str| {
            let told = told(rawdoc! { "tls": { "mode": mode }, "bindIp": bind }, rawdoc! {});
            (told.switch.known().unwrap().clone(), told.plaintext[0].yes.known().copied())
        };
        assert_eq!(way_in("requireTLS", "0.0.0.0"), ("on".to_owned(), Some(false)));
        assert_eq!(way_in("requireSSL", "0.0.0.0"), ("on".to_owned(), Some(false)));
        assert_eq!(way_in("preferTLS", "0.0.0.0"), ("on".to_owned(), Some(true)));
        assert_eq!(way_in("disabled", "127.0.0.1"), ("off".to_owned(), Some(false)));
        let blind = facts(&blind());
        assert!(blind.plaintext[0].yes.known().is_none() && blind.switch.known().is_none());
        assert!(blind.versions.known().is_none() && blind.encryption[0].yes.known().is_none());
    }

    #[test]
    fn a_version_that_was_used_is_accepted_whatever_the_options_say() {
        assert_eq!(oldest(&told(rawdoc! {}, rawdoc! {})), Some("TLSv1.1"));
        let disabled = || rawdoc! { "tls": { "disabledProtocols": "TLS1_0,TLS1_1" } };
        assert_eq!(oldest(&told(disabled(), rawdoc! {})), Some("TLSv1.2"));
        let used = rawdoc! { "transportSecurity": { "1.0": 3_i64, "1.1": 0_i64, "1.2": 9_i64 } };
        assert_eq!(oldest(&told(disabled(), used)), Some("TLSv1.0"));
        assert_eq!(oldest(&told(rawdoc! { "tls": { "disabledProtocols": "none" } }, rawdoc! {})), Some("TLSv1.0"));
        assert_eq!(oldest(&told(rawdoc! { "tls": { "disabledProtocols": "TLS9" } }, rawdoc! {})), None);
        let odd = rawdoc! { "transportSecurity": { "1.0": [1] } };
        assert_eq!(oldest(&told(disabled(), odd)), None);
    }

    #[test]
    fn members_of_a_set_have_traffic_between_them() {
        let mut member = settings(rawdoc! { "net": { "tls": { "mode": "allowTLS" } } }, rawdoc! {});
        assert!(facts(&member).encryption.is_empty());
        member.hello = super::super::settings::Told::new(Ok(rawdoc! { "setName": "rs0" }), "hello");
        assert_eq!(facts(&member).encryption[0].yes, Fact::Known(false));
    }
}
