//! Known vendors, and by what they are recognised on a page: the hosts of their scripts and the names of their cookies.

use serde::Deserialize;

/// A row of `vendors.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendor {
    /// The same as in registers.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it does, for example `analytics`.
    pub kind: String,
    /// Patterns of its cookies' names.
    cookies: Vec<Pattern>,
    /// Patterns of the hosts of its scripts, some with the beginning of a path.
    scripts: Vec<Pattern>,
}

/// Kinds that follow who visits: what they set and load needs consent first.
const TRACKERS: [&str; 3] = ["advertising", "analytics", "session_replay"];

impl Vendor {
    /// It follows who visits.
    pub fn is_tracker(&self) -> bool {
        TRACKERS.contains(&self.kind.as_str())
    }

    /// It loads whatever is configured elsewhere.
    pub fn is_tag_manager(&self) -> bool {
        self.kind == "tag_manager"
    }
}

/// A pattern, and whether it is not verified: then any other that fits as well goes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    text: String,
    verified: bool,
}

impl Pattern {
    fn list(cell: &str) -> Vec<Pattern> {
        let words = cell.split(';').map(str::trim).filter(|word| !word.is_empty());
        let pattern =
            |word: &str| Pattern { text: word.trim_end_matches('?').to_owned(), verified: !word.ends_with('?') };
        words.map(pattern).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct Row {
    id: String,
    name: String,
    kind: String,
    cookie_names: String,
    script_hosts: String,
}

pub(super) fn vendor_of(row: Row) -> Option<Vendor> {
    let (cookies, scripts) = (Pattern::list(&row.cookie_names), Pattern::list(&row.script_hosts));
    Some(Vendor { id: row.id, name: row.name, kind: row.kind, cookies, scripts })
}

/// Whom something is recognised as of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    /// One vendor, several where none is nearer, or none.
    pub vendors: Vec<&'static Vendor>,
    /// The pattern was verified.
    pub verified: bool,
}

/// The vendors whose scripts come from this host and path.
pub fn of_script(host_and_path: &str) -> Recognised {
    let text = host_and_path.to_ascii_lowercase();
    let (host, path) = text.split_once('/').map_or((text.as_str(), ""), |(host, path)| (host, path));
    let host = host.trim_end_matches('.');
    nearest(
        |vendor| &vendor.scripts,
        |pattern| {
            let (wanted, start) = pattern.split_once('/').map_or((pattern, ""), |(host, path)| (host, path));
            suffix(wanted, host) && path.starts_with(start)
        },
    )
}

/// The vendors that set a cookie of this name.
pub fn of_cookie(name: &str) -> Recognised {
    nearest(|vendor| &vendor.cookies, |pattern| glob(pattern.as_bytes(), name.as_bytes()))
}

/// The vendors of the longest pattern that fits; of those that are as long, the verified ones.
fn nearest(of: fn(&Vendor) -> &Vec<Pattern>, fits: impl Fn(&str) -> bool) -> Recognised {
    let mut best = (0, false);
    let mut found: Vec<&'static Vendor> = Vec::new();
    for vendor in super::vendors() {
        for pattern in of(vendor).iter().filter(|pattern| fits(&pattern.text)) {
            let rank = (pattern.text.len(), pattern.verified);
            if rank > best {
                (best, found) = (rank, Vec::new());
            }
            if rank == best && !found.contains(&vendor) {
                found.push(vendor);
            }
        }
    }
    Recognised { vendors: found, verified: best.1 }
}

/// The pattern is the host, or its last labels; `*` stands for characters of one label.
fn suffix(pattern: &str, host: &str) -> bool {
    let (wanted, labels): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    let Some(start) = labels.len().checked_sub(wanted.len()) else { return false };
    let tail = labels.iter().skip(start);
    wanted.iter().zip(tail).all(|(pattern, label)| glob(pattern.as_bytes(), label.as_bytes()))
}

/// Whether a pattern fits a text whole; `*` stands for one character or more.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, seen + 1));
            (at, seen) = (at + 1, seen + 1);
        } else if pattern.get(at).is_some_and(|byte| Some(byte) == text.get(seen)) {
            (at, seen) = (at + 1, seen + 1);
        } else if let Some((back, taken)) = star {
            star = Some((back, taken + 1));
            (at, seen) = (back + 1, taken + 1);
        } else {
            return false;
        }
    }
    at == pattern.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_character_or_more() {
        for (pattern, text, fits) in [
            ("_ga", "_ga", true),
            ("_ga", "_gat", false),
            ("_ga_*", "_ga_X1", true),
            ("_ga_*", "_ga_", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b", "a-c", false),
            ("*", "", false),
            ("", "", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
        assert!(suffix("stripe.com", "js.stripe.com") && !suffix("stripe.com", "notstripe.com"));
        assert!(suffix("o*.ingest.sentry.io", "o1.ingest.sentry.io") && !suffix("a.b", "b"));
    }

    #[test]
    fn vendors_are_recognised_as_the_vectors_have_it() {
        let text = include_str!("../../../tests/vectors/discovery.json");
        let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        let mut looked = 0;
        for vector in &vectors {
            let found = match (vector["column"].as_str(), vector["host"].as_str(), vector["cookie"].as_str()) {
                (Some("script_hosts"), Some(host), _) => of_script(host),
                (Some("cookie_names"), _, Some(cookie)) => of_cookie(cookie),
                _ => continue,
            };
            let mut ids: Vec<&str> = found.vendors.iter().map(|vendor| vendor.id.as_str()).collect();
            ids.sort_unstable();
            let mut expected: Vec<&str> =
                vector["expect"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
            expected.sort_unstable();
            assert_eq!(ids, expected, "{vector}");
            looked += 1;
        }
        assert!(looked > 15, "{looked}");
    }
}
