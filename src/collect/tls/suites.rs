//! Remove-the-chosen: which suites a version accepts.

use super::ledger::{Chain, Field, Ledger};
use super::offer::Offer;
use super::plan;
use super::prober::{Answer, Prober, Refusal};
use super::{certificate, legacy_groups};
use crate::model::Trouble;
use crate::wire::{ServerFlight, Version};
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeMap;
use std::time::Duration;

/// When a list is cut into parts that are asked side by side, if a round trip takes so long. Each part costs a refusal.
struct Cut {
    /// So many of it have been accepted.
    accepted: usize,
    /// So many stand behind these.
    behind: usize,
    /// Into how many parts.
    parts: usize,
}

const CUT_ROUND_TRIP: Duration = Duration::from_millis(20);
const CUT: Cut = Cut { accepted: 8, behind: 40, parts: 3 };
/// The same where the user allows more connections than are polite unasked.
const MANY: usize = 24;
const CUT_FINER: Cut = Cut { accepted: 4, behind: 8, parts: 6 };

fn cut(prober: &Prober<'_>) -> Cut {
    if prober.budget.connections() < MANY { CUT } else { CUT_FINER }
}

/// What one list gave.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was offered, in this order.
    pub offered: Vec<u16>,
    /// What was accepted, in the order of discovery.
    pub accepted: Vec<u16>,
    /// The lengths of its sequences. Within one, each was chosen before those that follow; what came in parts side by
    /// side, or was passed over at first, is in another, and its place there says nothing against the others.
    pub runs: Vec<usize>,
    /// Why it ended.
    pub end: End,
}

impl Found {
    /// What was accepted, in sequences.
    pub fn sequences(&self) -> Vec<&[u16]> {
        let mut rest = self.accepted.as_slice();
        let mut all = Vec::new();
        for run in &self.runs {
            let (one, more) = rest.split_at_checked(*run).unwrap_or((rest, &[]));
            all.push(one);
            rest = more;
        }
        all.push(rest);
        all.retain(|sequence| !sequence.is_empty());
        all
    }

    /// The first of them, which began with everything.
    pub fn first_sequence(&self) -> &[u16] {
        self.runs.first().map_or(self.accepted.as_slice(), |run| self.accepted.get(..*run).unwrap_or_default())
    }
}

/// Why a loop ended.
#[derive(Clone, Debug)]
pub enum End {
    /// What was left was refused, or nothing was left.
    Refused(Option<Refusal>),
    /// Nothing is known of what was left.
    Unknown(Trouble),
}

impl End {
    /// It rests on silence.
    pub fn is_inferred(&self) -> bool {
        matches!(self, End::Refused(Some(refusal)) if !refusal.proven)
    }
}

/// What a version gave.
#[derive(Clone, Debug)]
pub struct VersionSuites {
    /// The version.
    pub version: Version,
    /// Its lists.
    pub lists: Vec<Found>,
    /// The refusal of the version, or of everything offered with it, where nothing was accepted.
    pub refusal: Option<Refusal>,
    /// Why a list was cut short.
    pub trouble: Option<Trouble>,
}

impl VersionSuites {
    /// Nothing accepted, for this reason.
    pub fn refused(version: Version, refusal: Refusal) -> VersionSuites {
        VersionSuites { version, lists: Vec::new(), refusal: Some(refusal), trouble: None }
    }

    /// From the lists.
    pub fn of(version: Version, lists: Vec<Found>) -> VersionSuites {
        let trouble = lists.iter().find_map(|list| match &list.end {
            End::Unknown(trouble) => Some(trouble.clone()),
            End::Refused(_) => None,
        });
        let nothing = lists.iter().all(|list| list.accepted.is_empty());
        let mut refusals: Vec<&Refusal> = Vec::new();
        for list in &lists {
            if let End::Refused(Some(refusal)) = &list.end {
                refusals.push(refusal);
            }
        }
        // The whole is as certain as its least certain part.
        let weakest = refusals.iter().find(|refusal| !refusal.proven).or(refusals.first());
        let refusal = (nothing && trouble.is_none()).then(|| weakest.map(|refusal| (*refusal).clone())).flatten();
        VersionSuites { version, lists, refusal, trouble }
    }
}

/// The offer of a step: compression until it has been answered once, and groups of finite fields until parameters
/// have been seen with them, so that they are seen both ways.
fn offer(prober: &Prober<'_>, version: Version, suites: &[u16], keep_fields: bool) -> Offer {
    let (compression, named) = prober.with_ledger(|ledger| {
        let seen = ledger.ride.compression;
        let named = ledger.fields.iter().any(|field| field.named && field.version == version);
        (seen.yes + seen.no == 0, named)
    });
    let mut offer = Offer::new(version, suites.to_vec());
    offer.compression = compression && version < Version::Tls13;
    if named && !keep_fields && version < Version::Tls13 {
        offer.groups.retain(|group| !plan::is_field(*group));
    }
    offer
}

/// Whether suites of this list were accepted with a finite field, be it in answer to another hello, and only with one of
/// RFC 7919 that the hello named: a server may have no other, and refuse such suites without.
fn only_named_fields(prober: &Prober<'_>, version: Version, list: &[u16]) -> bool {
    prober.with_ledger(|ledger| {
        let mut fields = ledger.fields.iter().filter(|field| field.version == version);
        ledger.fields.iter().any(|field| field.version == version && list.contains(&field.suite))
            && fields.all(|field| field.named && is_from_list(&field.p))
    })
}

/// Whether this prime is one of RFC 7919: all of them begin with the same digits of e.
fn is_from_list(p: &[u8]) -> bool {
    p.get(8..16) == Some(&[0xAD, 0xF8, 0x54, 0x58, 0xA2, 0xBB, 0x4A, 0x9A])
}

/// The offer that a version begins with.
pub fn first_offer(prober: &Prober<'_>, version: Version) -> Offer {
    let list = plan::lists(version).into_iter().next().unwrap_or_default();
    offer(prober, version, &list, false)
}

/// The offer that the list of ECDSA begins with.
pub fn ecdsa_offer(prober: &Prober<'_>, version: Version) -> Offer {
    let list = plan::lists(version).into_iter().nth(1).unwrap_or_default();
    offer(prober, version, &list, false)
}

/// All lists of a version, side by side; `first` answers the first offers of the first lists.
pub async fn version(prober: &Prober<'_>, version: Version, first: Vec<Answer>) -> VersionSuites {
    if let Some(Answer::No(refusal)) = first.first()
        && refusal.version
    {
        return VersionSuites::refused(version, refusal.clone());
    }
    let pair = first.len() == 2 && first.iter().all(|answer| matches!(answer, Answer::Yes(_)));
    let mut first = first.into_iter();
    let theirs = pair && prober.with_ledger(|ledger| chooses_itself(ledger));
    let loops = plan::lists(version).into_iter().map(|list| {
        let (tandem, answer) = (Tandem::of(version, &list, pair, theirs), first.next());
        async move { removing(prober, version, list, answer, true, tandem).await }
    });
    let mut lists = join_all(loops).await;
    let mut from = 2;
    loop {
        let more = singled_out(prober, version, lists.get(from..).unwrap_or_default()).await;
        if more.is_empty() {
            break;
        }
        from = lists.len();
        lists.extend(more);
    }
    let unclear = unnamed_fields(prober, version).await;
    let suites = VersionSuites::of(version, lists);
    VersionSuites { trouble: suites.trouble.clone().or(unclear), ..suites }
}

/// Suites whose parameters were seen only with a field of RFC 7919 that the hello named are asked once more without:
/// clients that name none get other parameters, which may be far weaker. Gives why that is not known, if so.
async fn unnamed_fields(prober: &Prober<'_>, version: Version) -> Option<Trouble> {
    if version >= Version::Tls13 {
        return None;
    }
    let named = |ledger: &Ledger| -> Vec<u16> {
        let of_version = || ledger.fields.iter().filter(|field| field.version == version);
        let plain = |named: &Field| {
            of_version().filter(|field| !field.named).any(|field| {
                field.suite == named.suite || (field.p == named.p && certified_alike(field.suite, named.suite))
            })
        };
        let wanted = of_version().filter(|field| field.named && is_from_list(&field.p) && !plain(field));
        let mut wanted: Vec<u16> = wanted.map(|field| field.suite).collect();
        plan::worst_first(&mut wanted);
        wanted.dedup();
        wanted
    };
    let mut left = prober.with_ledger(|ledger| named(ledger));
    while !left.is_empty() {
        let mut offer = offer(prober, version, &left, true);
        offer.groups.retain(|group| !plan::is_field(*group));
        match prober.settle(&offer, &format!("suites of {}", version.name())).await {
            Answer::Yes(flight) => left.retain(|suite| *suite != flight.hello.suite),
            // It has no parameters for those who name none.
            Answer::No(_) => return None,
            Answer::Unknown(trouble) => return Some(trouble),
        }
    }
    None
}

/// Whether two suites go with the same kind of certificate, and neither is for export: no server has other parameters for
/// one of them than for the other. Without a certificate some choose them by the strength of the cipher.
fn certified_alike(one: u16, other: u16) -> bool {
    let (Some(one), Some(other)) = (plan::suite(one), plan::suite(other)) else { return false };
    one.auth == other.auth && matches!(one.auth.as_str(), "RSA" | "DSS") && !one.export && !other.export
}

/// Lists without RSA and ECDSA hold several classes at once. Where some of them were accepted, the refusal of the mixture
/// proves nothing: what is left of each of these is asked on its own, and the others, of which nothing is, together.
async fn singled_out(prober: &Prober<'_>, version: Version, lists: &[Found]) -> Vec<Found> {
    let auth = |id: u16| plan::suite(id).map_or("", |row| row.auth.as_str());
    let mut classes: BTreeMap<(usize, &str), Vec<u16>> = BTreeMap::new();
    for (index, list) in lists.iter().enumerate() {
        if list.accepted.is_empty() || matches!(list.end, End::Unknown(_)) {
            continue;
        }
        for id in list.offered.iter().filter(|id| !list.accepted.contains(id)) {
            let taken = list.accepted.iter().any(|other| auth(*other) == auth(*id));
            classes.entry((index, if taken { auth(*id) } else { "" })).or_default().push(*id);
        }
    }
    // A single class has been refused on its own already.
    let single: Vec<usize> =
        (0..lists.len()).filter(|list| classes.keys().filter(|(of, _)| of == list).count() < 2).collect();
    let asked = classes.into_iter().filter(|((list, _), _)| !single.contains(list));
    join_all(asked.map(|(_, ids)| run(prober, version, ids, None, false))).await
}

/// One list, until what is left of it is refused.
pub fn run<'a>(
    prober: &'a Prober<'_>,
    version: Version,
    list: Vec<u16>,
    first: Option<Answer>,
    may_cut: bool,
) -> BoxFuture<'a, Found> {
    let tandem = Tandem::of(version, &list, false, false);
    removing(prober, version, list, first, may_cut, tandem)
}

fn removing<'a>(
    prober: &'a Prober<'_>,
    version: Version,
    list: Vec<u16>,
    first: Option<Answer>,
    may_cut: bool,
    mut tandem: Tandem,
) -> BoxFuture<'a, Found> {
    Box::pin(async move {
        let step = format!("suites of {}", version.name());
        let mut left = list.clone();
        let mut accepted = Vec::new();
        let mut answer = first;
        let (mut keep_fields, mut runs) = (false, Vec::new());
        let end = loop {
            if left.is_empty() {
                break End::Refused(None);
            }
            if may_cut && is_long(prober, &list, &accepted) {
                return in_parts(prober, version, list, accepted, left).await;
            }
            let next = match answer.take() {
                Some(answer) => answer,
                None => {
                    if !accepted.is_empty() {
                        prober.more_follows();
                    }
                    let offer = offer(prober, version, &left, keep_fields);
                    prober.settle(&tandem.without(prober, offer, &accepted), &step).await
                }
            };
            match next {
                // What comes next may be another then.
                Answer::Yes(flight) if tandem.misled(&flight) => {}
                Answer::Yes(flight) => {
                    left.retain(|id| *id != flight.hello.suite);
                    accepted.push(flight.hello.suite);
                    tandem.note(&flight);
                }
                // With groups taken away, a refusal may be about these.
                Answer::No(_) if tandem.restore() => {}
                Answer::No(_) if !keep_fields && only_named_fields(prober, version, &list) => {
                    // What comes now was passed over before, so its place says nothing of who chooses.
                    runs.push(accepted.len());
                    keep_fields = true;
                }
                Answer::No(refusal) => break End::Refused(Some(refusal)),
                Answer::Unknown(trouble) => break End::Unknown(trouble),
            }
        };
        Found { runs, offered: list, accepted, end }
    })
}

/// In the list of ECDSA every suite that a common server has needs a curve, so a group can be taken away together with
/// each suite without changing which suite comes next: a step of the loop over groups for nothing. In the list of RSA
/// that holds as long as a group is left, so it is done once, or until the common suites are found where the server goes by
/// its own order, which puts them first by all likelihood; and only beside a list of ECDSA, else there is no need.
struct Tandem {
    on: bool,
    rsa: bool,
    once: bool,
    taken: Vec<u16>,
    /// The curve of the certificate stays, and last (RFC 8422 section 5.1).
    kept: Option<u16>,
}

impl Tandem {
    /// The suites after which a refusal is what comes next, most likely.
    const COMMON: [[u16; 3]; 2] = [[0xC02B, 0xC02C, 0xCCA9], [0xC02F, 0xC030, 0xCCA8]];

    fn of(version: Version, list: &[u16], pair: bool, theirs: bool) -> Tandem {
        let ecdsa = list.contains(&0xC02B) && version == Version::Tls12;
        let rsa = pair && list.contains(&0xC02F);
        Tandem { on: ecdsa || rsa, rsa, once: rsa && !theirs, taken: Vec::new(), kept: None }
    }

    fn without(&mut self, prober: &Prober<'_>, mut offer: Offer, accepted: &[u16]) -> Offer {
        if Self::COMMON.iter().any(|common| common.iter().all(|id| accepted.contains(id))) {
            self.restore();
        }
        if self.rsa && !self.taken.is_empty() {
            // The list of ECDSA shows the curve of its certificate.
            self.taken = prober.with_ledger(|ledger| {
                let certificates = ledger.chains.values().filter(|_| !self.once).filter_map(curve_of);
                ledger.groups_of(Version::Tls12).into_iter().chain(certificates).collect()
            });
        }
        offer.groups.retain(|group| !self.taken.contains(group));
        if let Some(curve) = self.kept.filter(|_| self.on) {
            offer.groups.retain(|group| *group != curve);
            offer.groups.push(curve);
        }
        offer
    }

    fn note(&mut self, flight: &ServerFlight) {
        let Some(group) = legacy_groups::group_of(flight).filter(|_| self.on) else { return };
        if self.rsa {
            match self.taken.is_empty() || !self.once {
                true => self.taken.push(group),
                false => drop(self.restore()),
            }
            return;
        }
        self.kept = self.kept.or(flight.chain.first().and_then(|leaf| curve_of_leaf(leaf)));
        if self.kept != Some(group) {
            self.taken.push(group);
        }
    }

    /// Whether this choice, of a suite without a group, may be due to the groups that were taken away. They are put back.
    fn misled(&mut self, flight: &ServerFlight) -> bool {
        self.rsa && !self.taken.is_empty() && legacy_groups::group_of(flight).is_none() && self.restore()
    }

    /// Puts the groups back, for good. Whether there were any.
    fn restore(&mut self) -> bool {
        self.on = false;
        self.kept = None;
        !std::mem::take(&mut self.taken).is_empty()
    }
}

/// Whether the server chooses by its own order, by what is known of TLS 1.3 before any of its lists: it did not take the
/// first of ours that nearly every server has. It decides what is asked, and no fact.
fn chooses_itself(ledger: &Ledger) -> bool {
    matches!(ledger.accepted(Version::Tls13).first(), Some(0x1302 | 0x1303))
}

fn curve_of(chain: &Chain) -> Option<u16> {
    curve_of_leaf(chain.certificates.first()?)
}

fn curve_of_leaf(leaf: &[u8]) -> Option<u16> {
    super::facts::curve_group(&certificate::key_of(leaf)?.curve)
}

/// Whether the rest is better asked in parts. Not under a preference of the server's, whose order the parts would hide,
/// nor of a target that is asked less at a time.
fn is_long(prober: &Prober<'_>, list: &[u16], accepted: &[u16]) -> bool {
    // What stands before them was on offer, and was passed over.
    let behind = list.iter().rev().position(|id| accepted.contains(id)).unwrap_or(list.len());
    let cut = cut(prober);
    accepted.len() >= cut.accepted
        && behind >= cut.behind
        && prober.round_trip() >= CUT_ROUND_TRIP
        && prober.steadiness.doubt().is_none()
        && follows(list, accepted)
}

async fn in_parts(
    prober: &Prober<'_>,
    version: Version,
    offered: Vec<u16>,
    mut accepted: Vec<u16>,
    left: Vec<u16>,
) -> Found {
    let mut runs = vec![accepted.len()];
    let count = cut(prober).parts;
    let parts = (0..count).map(|part| left.iter().copied().skip(part).step_by(count).collect::<Vec<u16>>());
    let mut end = End::Refused(None);
    for part in join_all(parts.map(|part| run(prober, version, part, None, false))).await {
        runs.extend(part.sequences().iter().map(|sequence| sequence.len()));
        accepted.extend(part.accepted);
        end = match (end, part.end) {
            (End::Unknown(trouble), _) | (_, End::Unknown(trouble)) => End::Unknown(trouble),
            (one @ End::Refused(Some(_)), _) if one.is_inferred() => one,
            (End::Refused(one), End::Refused(other)) => End::Refused(other.or(one)),
        };
    }
    Found { offered, accepted, runs, end }
}

/// Whether the choices follow the order of the offer.
pub fn follows(offered: &[u16], accepted: &[u16]) -> bool {
    let place = |id: &u16| offered.iter().position(|other| other == id);
    accepted.windows(2).all(|pair| match pair {
        [one, other] => place(one) < place(other),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(accepted: &[u16], end: End) -> Found {
        Found { offered: vec![1, 2, 3], accepted: accepted.to_vec(), runs: Vec::new(), end }
    }

    fn refusal(proven: bool) -> Refusal {
        Refusal { proven, version: false, seen: "alert handshake_failure".into() }
    }

    #[test]
    fn a_version_is_refused_only_as_surely_as_its_least_sure_list() {
        let lists = vec![found(&[], End::Refused(Some(refusal(true)))), found(&[], End::Refused(Some(refusal(false))))];
        assert!(!VersionSuites::of(Version::Tls12, lists).refusal.unwrap().proven);
    }

    #[test]
    fn a_list_that_was_cut_short_leaves_the_version_open() {
        let trouble = Trouble::new(crate::model::Reason::TimedOut, "no answer in time");
        let lists = vec![found(&[], End::Refused(Some(refusal(true)))), found(&[], End::Unknown(trouble.clone()))];
        let version = VersionSuites::of(Version::Tls12, lists);
        assert_eq!(version.refusal, None);
        assert_eq!(version.trouble, Some(trouble));
    }

    #[test]
    fn an_order_is_followed_or_not() {
        assert!(follows(&[1, 2, 3], &[1, 3]));
        assert!(!follows(&[1, 2, 3], &[3, 1]));
    }
}
