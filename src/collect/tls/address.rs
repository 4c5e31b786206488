//! The look at one address, from the four first hellos to the last question.

use super::first::First;
use super::legacy_groups::{self, LegacyGroups};
use super::modern::{self, Modern};
use super::offer::Offer;
use super::order;
use super::plan;
use super::probe::Outcome;
use super::prober::{Answer, Prober, Refusal};
use super::shown::{self, Shown};
use super::ssl2::{self, Ssl2};
use super::suites::{self, VersionSuites};
use crate::model::tls::Order;
use crate::model::{Fact, Reason, Trouble};
use crate::wire::Version;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// SSLv3 to TLS 1.2, newest first.
const LEGACY: [Version; 4] = [Version::Tls12, Version::Tls11, Version::Tls10, Version::Ssl3];

/// What the loops gave. The rest is in the prober's ledger.
pub struct Look {
    /// SSLv2.
    pub ssl2: Ssl2,
    /// SSLv3 to TLS 1.3.
    pub versions: BTreeMap<Version, VersionSuites>,
    /// TLS 1.3, where it is offered.
    pub modern: Option<Modern>,
    /// The groups of the newest older version with ECDHE.
    pub legacy_groups: Option<LegacyGroups>,
    /// Who chooses the suite.
    pub orders: Vec<Order>,
    /// Who chooses the group.
    pub group_order: Fact<String>,
    /// TLS_FALLBACK_SCSV.
    pub fallback: Fact<String>,
    /// It rests on silence.
    pub fallback_inferred: bool,
    /// Kinds of certificate that are held to be absent because of silence.
    pub absent_inferred: bool,
    /// Handshakes that should have shown a certificate and did not, and why.
    pub unseen: Vec<Trouble>,
    /// The application protocols chosen in TLS 1.3; an empty one where none was.
    pub alpn: Vec<String>,
    /// A handshake in TLS 1.3 succeeded.
    pub shown: bool,
    /// The server refused the name, and was asked without one from then on.
    pub name_refused: bool,
}

/// Looks at an address.
///
/// # Errors
/// When it cannot be reached, does not speak TLS, or accepts nothing: then there is no fact at all.
pub async fn look(prober: &Prober<'_>, server_name: &str) -> Result<Look, Trouble> {
    let first = First::ask(prober).await?;
    let baseline = first.settle_baseline(prober).await;
    let modern_first = modern_first(prober, &baseline).await;
    let older = async {
        let older = older_first(prober, &first).await;
        Older::look(prober, older, &modern_first).await
    };
    let (older, modern, shown, ssl2) = tokio::join!(
        older,
        Modernity::look(prober, &modern_first),
        modern_certificates(prober, &modern_first, server_name),
        ssl2::settle(prober, first.ssl2.clone())
    );
    let mut versions = older.versions;
    versions.insert(Version::Tls13, summary(&modern_first, modern.modern.as_ref()));
    if !ssl2.offered && prober.ledger().versions().is_empty() {
        return Err(prober.stopped().unwrap_or_else(|| refused_all(&versions, &first.baseline)));
    }
    let group_order = match (&modern.modern, older.group_order) {
        (Some(_), _) => modern.group_order,
        (None, order) => order,
    };
    Ok(Look {
        ssl2,
        versions,
        modern: modern.modern,
        legacy_groups: older.groups,
        orders: older.orders.into_iter().chain(modern.order).collect(),
        group_order,
        fallback: older.fallback.0,
        fallback_inferred: older.fallback.1,
        absent_inferred: shown.absent_inferred,
        unseen: shown.unseen,
        alpn: shown.alpn,
        shown: shown.shown,
        name_refused: prober.manner().server_name.is_none(),
    })
}

/// The first answer about TLS 1.3: the baseline's, or one of its own.
async fn modern_first(prober: &Prober<'_>, baseline: &Answer) -> Answer {
    match modern::from_baseline(baseline) {
        Some(answer) => answer,
        None => modern::first(prober).await,
    }
}

/// The first answers about the older versions, newest first.
async fn older_first(prober: &Prober<'_>, first: &First) -> Vec<(Version, Answer)> {
    let ask = async |version: Version| {
        let offer = suites::first_offer(prober, version);
        prober.settle(&offer, version.name()).await
    };
    let (tls12, tls11, tls10, ssl3) = tokio::join!(
        ask(Version::Tls12),
        ask(Version::Tls11),
        prober.settle_from(&first.tls10_offer, first.tls10.clone(), "TLSv1.0"),
        prober.settle_from(&first.ssl3_offer, first.ssl3.clone(), "SSLv3")
    );
    LEGACY.into_iter().zip([tls12, tls11, tls10, ssl3]).collect()
}

/// The suites of the older versions. A version is settled without more hellos where a newer one was refused for its
/// number: what refuses TLS 1.1 as too old, and SSLv3 by another alert, does not speak SSLv3.
async fn legacy(prober: &Prober<'_>, first: Vec<(Version, Answer)>) -> Vec<VersionSuites> {
    let mut too_old: Option<(Version, String)> = None;
    let mut loops = Vec::new();
    let mut settled = Vec::new();
    for (version, answer) in first {
        match (&answer, &too_old) {
            (Answer::No(refusal), Some((newer, seen))) if refusal.proven && !refusal.version => {
                let seen = format!("{}; {} was refused with {seen}", refusal.seen, newer.name());
                settled.push(VersionSuites::refused(version, Refusal { seen, version: true, proven: true }));
                continue;
            }
            (Answer::No(refusal), _) if refusal.version && refusal.seen == "alert protocol_version" => {
                too_old = Some((version, refusal.seen.clone()));
            }
            _ => {}
        }
        loops.push(suites::version(prober, version, answer));
    }
    let mut all = join_all(loops).await;
    all.extend(settled);
    all
}

/// The certificates of TLS 1.3, where it is offered.
async fn modern_certificates(prober: &Prober<'_>, first: &Answer, server_name: &str) -> Shown {
    match first {
        Answer::Yes(_) => shown::certificates(prober, server_name).await,
        _ => Shown::default(),
    }
}

/// TLS 1.3 and who chooses in it.
struct Modernity {
    modern: Option<Modern>,
    order: Option<Order>,
    group_order: Fact<String>,
}

impl Modernity {
    async fn look(prober: &Prober<'_>, first: &Answer) -> Modernity {
        let Answer::Yes(flight) = first else {
            return Modernity { modern: None, order: None, group_order: Fact::Known("not-applicable".to_owned()) };
        };
        let modern = modern::enumerate(prober, flight.clone()).await;
        let lists = [modern.suites.clone()];
        let (order, group_order) = tokio::join!(
            order::of_version(prober, Version::Tls13, &lists, &modern.choices),
            order::of_groups(prober, Version::Tls13, &modern.suites.accepted, &modern.groups)
        );
        Modernity { modern: Some(modern), order, group_order }
    }
}

/// TLS 1.3 as one of the versions.
fn summary(first: &Answer, modern: Option<&Modern>) -> VersionSuites {
    match (first, modern) {
        (_, Some(modern)) => VersionSuites::of(Version::Tls13, vec![modern.suites.clone()]),
        (Answer::No(refusal), None) => VersionSuites::refused(Version::Tls13, refusal.clone()),
        (Answer::Unknown(trouble), None) => {
            VersionSuites { version: Version::Tls13, lists: Vec::new(), refusal: None, trouble: Some(trouble.clone()) }
        }
        (Answer::Yes(_), None) => VersionSuites::of(Version::Tls13, Vec::new()),
    }
}

fn refused_all(versions: &BTreeMap<Version, VersionSuites>, baseline: &Outcome) -> Trouble {
    let unknown = versions.values().find_map(|version| version.trouble.clone());
    unknown.unwrap_or_else(|| {
        Trouble::new(Reason::HandshakeRejected, format!("every hello was refused, the first with {}", baseline.words()))
    })
}

/// SSLv3 to TLS 1.2, and what needs their accepted suites: orders, groups, fallback protection, finite fields.
struct Older {
    versions: BTreeMap<Version, VersionSuites>,
    groups: Option<LegacyGroups>,
    orders: Vec<Order>,
    group_order: Fact<String>,
    fallback: (Fact<String>, bool),
}

impl Older {
    async fn look(prober: &Prober<'_>, first: Vec<(Version, Answer)>, modern: &Answer) -> Older {
        let versions: BTreeMap<Version, VersionSuites> =
            legacy(prober, first).await.into_iter().map(|suites| (suites.version, suites)).collect();
        // The loop over groups shows a choice from the accepted suites in another order, which may settle theirs.
        let newest = older_groups_version(prober);
        let others = versions.values().filter(|suites| Some(suites.version) != newest);
        let others = others.map(|suites| order::of_version(prober, suites.version, &suites.lists, &[]));
        let (others, (groups, order), fallback, (), ()) = tokio::join!(
            join_all(others),
            groups_and_order(prober, &versions),
            fallback(prober, &versions, modern),
            plain_fields(prober),
            confirm(prober)
        );
        let orders = others.into_iter().flatten().chain(order).collect();
        let group_order = match &groups {
            Some(groups) if !matches!(modern, Answer::Yes(_)) => {
                let suites = legacy_groups::suites(&prober.ledger().accepted(groups.version)).0;
                order::of_groups(prober, groups.version, &suites, &groups.found).await
            }
            _ => Fact::Known("not-applicable".to_owned()),
        };
        Older { versions, groups, orders, group_order, fallback }
    }
}

async fn groups_and_order(
    prober: &Prober<'_>,
    versions: &BTreeMap<Version, VersionSuites>,
) -> (Option<LegacyGroups>, Option<Order>) {
    let Some(groups) = older_groups(prober).await else { return (None, None) };
    let order = match versions.get(&groups.version) {
        Some(suites) => order::of_version(prober, suites.version, &suites.lists, &groups.choices).await,
        None => None,
    };
    (Some(groups), order)
}

/// The newest older version with ECDHE.
fn older_groups_version(prober: &Prober<'_>) -> Option<Version> {
    let ledger = prober.ledger();
    let mut versions = [Version::Tls12, Version::Tls11, Version::Tls10].into_iter();
    versions.find(|version| !legacy_groups::suites(&ledger.accepted(*version)).0.is_empty())
}

/// Its groups.
async fn older_groups(prober: &Prober<'_>) -> Option<LegacyGroups> {
    let version = older_groups_version(prober)?;
    let ledger = prober.ledger();
    let (suites, ecdsa) = legacy_groups::suites(&ledger.accepted(version));
    let any = u32::from(*suites.first()?);
    let first = ledger.suites.iter().find(|known| known.version == version && known.suite == any);
    let kept = first.filter(|_| ecdsa).and_then(|known| known.leaf.as_ref()).and_then(|leaf| {
        let chain = ledger.chains.get(leaf)?;
        let curve = super::certificate::key_of(chain.certificates.first()?)?.curve;
        super::facts::curve_group(&curve)
    });
    let group = first.and_then(|known| known.group);
    let chosen = ledger.groups.iter().filter(|(_, versions)| versions.contains(&version)).map(|(group, _)| *group);
    Some(legacy_groups::enumerate(prober, version, suites, (group, chosen.collect()), kept).await)
}

/// TLS_FALLBACK_SCSV needs two versions; the hello is one of the second-best. Also whether the fact rests on silence.
async fn fallback(
    prober: &Prober<'_>,
    versions: &BTreeMap<Version, VersionSuites>,
    modern: &Answer,
) -> (Fact<String>, bool) {
    let ledger = prober.ledger();
    let mut older: Vec<Version> = versions.keys().copied().filter(|of| !ledger.accepted(*of).is_empty()).collect();
    older.reverse();
    let (newer, unknown) = match modern {
        Answer::Yes(_) => (1, None),
        Answer::No(_) => (0, None),
        Answer::Unknown(trouble) => (0, Some(trouble)),
    };
    let Some(second) = older.get(1 - newer).copied() else {
        let open = versions.values().find_map(|version| version.trouble.as_ref()).or(unknown);
        let fact = open.map(|trouble| Fact::unknown(trouble.detail.clone()));
        return (fact.unwrap_or_else(|| Fact::Known("not-applicable".to_owned())), false);
    };
    match modern::fallback_scsv(prober, second, ledger.accepted(second)).await {
        Ok((yes, proven)) => (Fact::Known(if yes { "yes" } else { "no" }.to_owned()), !proven),
        Err(trouble) => (Fact::unknown(trouble.detail), false),
    }
}

/// A hello that names finite-field groups can change the parameters: they are seen once without, too.
async fn plain_fields(prober: &Prober<'_>) {
    let ledger = prober.ledger();
    if ledger.fields.is_empty() || ledger.fields.iter().any(|field| !field.named) {
        return;
    }
    let Some(newest) = ledger.fields.iter().map(|field| field.version).max() else { return };
    let suites: Vec<u16> =
        ledger.fields.iter().filter(|field| field.version == newest).map(|field| field.suite).collect();
    let mut offer = Offer::new(newest, suites);
    offer.groups.retain(|group| !plan::is_field(*group));
    // The ledger takes what comes; a refusal leaves what was seen before.
    let _ = prober.settle(&offer, "finite-field parameters").await;
}

/// An old version that rests on one answer alone is asked for once more. A different answer is noted in the ledger.
async fn confirm(prober: &Prober<'_>) {
    let ledger = prober.ledger();
    for version in [Version::Tls11, Version::Tls10, Version::Ssl3] {
        if let [only] = ledger.accepted(version)[..]
            && !matches!(prober.settle(&Offer::new(version, vec![only]), version.name()).await, Answer::Yes(_))
        {
            prober.with_ledger(|ledger| ledger.doubted.insert(version));
        }
    }
}
