//! The oracles of records: those of CBC padding, and CVE-2016-2107.

use super::padding::Pair;
use super::{DISABLED, padding, record_overflow};
use crate::catalogue::registry;
use crate::collect::tls::facts::{Facts, Standing};
use crate::collect::tls::prober::Prober;
use crate::collect::tls::session::Suite;
use crate::collect::tls::visit;
use crate::model::tls::VulnerabilityTest;
use crate::wire::Version;

/// The rows, for the CBC suites that the enumeration found. Without any, no connection is made.
pub async fn oracles(prober: &Prober<'_>, facts: &Facts, intrusive: bool) -> Vec<VulnerabilityTest> {
    let (pairs, others) = pairs(facts);
    let open = open(facts);
    let possible = !pairs.is_empty() || others > 0 || open.is_some();
    if possible && !intrusive {
        let names = padding::NAMES.iter().chain(&[record_overflow::NAME]);
        return names.map(|name| VulnerabilityTest::unknown(name, DISABLED)).collect();
    }
    let overflow_open = match (&open, others) {
        (None, 1..) => Some("no accepted AES-CBC suite is one that a session can be made with here".to_owned()),
        (open, _) => open.clone(),
    };
    let (mut rows, overflow) =
        tokio::join!(padding::look(prober, &pairs, others, open), record_overflow::look(prober, &pairs, overflow_open));
    rows.push(overflow);
    rows
}

/// The pairs with CBC that a session can be made with, those first that the server prefers; and how many there are that
/// none can be made with.
fn pairs(facts: &Facts) -> (Vec<Pair>, usize) {
    let mut pairs = Vec::new();
    let mut others = 0;
    for version in visit::VERSIONS {
        let order = facts.look.orders.iter().find(|order| order.protocol == version.name());
        let place = |id: u16| {
            let id = format!("0x{id:04X}");
            order.and_then(|order| order.ids.iter().position(|known| *known == id)).unwrap_or(usize::MAX)
        };
        let mut ids = facts.ledger.accepted(version);
        ids.retain(|id| registry::suite(u32::from(*id), false).is_some_and(|row| row.enc.ends_with("-CBC")));
        ids.sort_by_key(|id| place(*id));
        for id in ids {
            match Suite::find(id) {
                Some(suite) => pairs.push((version, suite)),
                None => others += 1,
            }
        }
    }
    (pairs, others)
}

/// Why there may be suites with CBC that are not known.
fn open(facts: &Facts) -> Option<String> {
    let of_version = |version: Version| match facts.standing(version) {
        Standing::Unknown(trouble) => Some(trouble.detail),
        _ => Some(facts.open(version)?.detail),
    };
    visit::VERSIONS.into_iter().find_map(of_version)
}
