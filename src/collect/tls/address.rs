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
use tokio::sync::oneshot::{self, Sender};

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
    let (older, modern, shown, ssl2) = tokio::join!(
        Older::look(prober, &first, &baseline, &modern_first),
        Modernity::look(prober, &modern_first),
        modern_certificates(prober, &modern_first, server_name),
        ssl2::settle(prober, first.ssl2.clone())
    );
    prober.close_spares();
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

/// The suites of the older versions. A version is settled without more hellos where a newer one was refused for its
/// number: what refuses TLS 1.1 as too old, and SSLv3 by another alert, does not speak SSLv3.
async fn legacy(prober: &Prober<'_>, first: &First, baseline: &Answer) -> Vec<VersionSuites> {
    let (tell, newest) = oneshot::channel();
    let others = async {
        let tls11 = suites::first_offer(prober, Version::Tls11);
        let (tls11, tls10, ssl3) = tokio::join!(
            prober.settle(&tls11, "TLSv1.1"),
            prober.settle_from(&first.tls10_offer, first.tls10.clone(), "TLSv1.0"),
            prober.settle_from(&first.ssl3_offer, first.ssl3.clone(), "SSLv3")
        );
        let mut too_old = newest.await.ok().and_then(|answer| refused_as_too_old(Version::Tls12, &answer));
        let (mut loops, mut settled) = (Vec::new(), Vec::new());
        for (version, answer) in [(Version::Tls11, tls11), (Version::Tls10, tls10), (Version::Ssl3, ssl3)] {
            if let (Answer::No(refusal), Some((newer, seen))) = (&answer, &too_old)
                && refusal.proven
                && !refusal.version
            {
                let seen = format!("{}; {} was refused with {seen}", refusal.seen, newer.name());
                settled.push(VersionSuites::refused(version, Refusal { seen, version: true, proven: true }));
                continue;
            }
            too_old = refused_as_too_old(version, &answer).or(too_old);
            loops.push(suites::version(prober, version, vec![answer]));
        }
        let mut all = join_all(loops).await;
        all.extend(settled);
        all
    };
    let (newest, mut all) = tokio::join!(newest_legacy(prober, baseline, tell), others);
    all.push(newest);
    all
}

fn refused_as_too_old(version: Version, answer: &Answer) -> Option<(Version, String)> {
    match answer {
        Answer::No(refusal) if refusal.version && refusal.seen == "alert protocol_version" => {
            Some((version, refusal.seen.clone()))
        }
        _ => None,
    }
}

/// TLS 1.2, which others wait for. Its two main lists are asked side by side where the server speaks TLS by all signs.
async fn newest_legacy(prober: &Prober<'_>, baseline: &Answer, tell: Sender<Answer>) -> VersionSuites {
    let version = Version::Tls12;
    let offers = (suites::first_offer(prober, version), suites::ecdsa_offer(prober, version));
    let rsa = async {
        let answer = prober.settle(&offers.0, version.name()).await;
        // Nobody to tell means nobody who wants to know.
        let _ = tell.send(answer.clone());
        answer
    };
    let ecdsa = async {
        match baseline {
            Answer::Yes(_) => Some(prober.settle(&offers.1, "suites of TLSv1.2").await),
            _ => None,
        }
    };
    let (rsa, ecdsa) = tokio::join!(rsa, ecdsa);
    suites::version(prober, version, std::iter::once(rsa).chain(ecdsa).collect()).await
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
    async fn look(prober: &Prober<'_>, first: &First, baseline: &Answer, modern: &Answer) -> Older {
        let suites = legacy(prober, first, baseline).await;
        let versions: BTreeMap<Version, VersionSuites> =
            suites.into_iter().map(|suites| (suites.version, suites)).collect();
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
    let Some(groups) = older_groups(prober, versions).await else { return (None, None) };
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
async fn older_groups(prober: &Prober<'_>, versions: &BTreeMap<Version, VersionSuites>) -> Option<LegacyGroups> {
    let version = older_groups_version(prober)?;
    let theirs = versions.get(&version).is_some_and(|suites| !order::follows_ours(&suites.lists));
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
    let known = (group, ledger.groups_of(version));
    Some(legacy_groups::enumerate(prober, version, suites, known, kept, theirs).await)
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
