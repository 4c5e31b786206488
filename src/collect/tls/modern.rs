//! TLS 1.3: suites and groups in tandem.
//!
//! Every answer names a suite and a group, so both are taken away at once until the common suites are known; then the
//! rest of both is asked side by side, each with all of the other.

use super::offer::Offer;
use super::plan;
use super::prober::{Answer, Prober, Refusal};
use super::suites::{self, End, Found};
use crate::model::Trouble;
use crate::wire::{Alert, ServerFlight, Version, alert};

/// The suites that nearly every server has: once all are found, the next answer is most likely a refusal.
const COMMON: [u16; 3] = [0x1301, 0x1302, 0x1303];

/// Suites as offered, and the one chosen.
pub type Choice = (Vec<u16>, u16);

/// What TLS 1.3 gave.
#[derive(Clone, Debug)]
pub struct Modern {
    /// The suites.
    pub suites: Found,
    /// The groups.
    pub groups: Found,
    /// The accepted suites as offered in other orders, and what was chosen then.
    pub choices: Vec<Choice>,
}

/// The first answer about TLS 1.3, where the baseline gave none: with an empty list of key shares, then with a share.
pub async fn first(prober: &Prober<'_>) -> Answer {
    let step = "TLSv1.3";
    let offer = suites::first_offer(prober, Version::Tls13);
    let empty = prober.ask(&offer, step).await;
    if super::prober::clear(&offer, &empty).is_none() {
        prober.change_manner(|manner| manner.share = true);
        let answer = prober.settle(&offer, step).await;
        if matches!(answer, Answer::Yes(_)) {
            // The first time may have been chance.
            prober.change_manner(|manner| manner.share = false);
            let again = prober.ask(&offer, step).await;
            if let Some(bare) = super::prober::clear(&offer, &again) {
                prober.changed(&empty, &again);
                return bare;
            }
        }
        prober.change_manner(|manner| manner.share = matches!(answer, Answer::Yes(_)));
        return answer;
    }
    prober.settle_from(&offer, empty, step).await
}

/// Suites and groups, where the first answer was one of TLS 1.3. Finite fields, which come by the handful or not at all,
/// are asked beside the curves.
pub async fn enumerate(prober: &Prober<'_>, first: Box<ServerFlight>) -> Modern {
    let all = plan::lists(Version::Tls13).into_iter().flatten().collect::<Vec<u16>>();
    let chosen = first.hello.group();
    let (fields, curves): (Vec<u16>, Vec<u16>) =
        plan::groups(Version::Tls13).into_iter().partition(|group| plan::is_field(*group));
    let fields = fields.into_iter().filter(|group| Some(*group) != chosen).collect();
    let (mut modern, (fields, choices)) = tokio::join!(
        suites_and_curves(prober, first, all.clone(), curves),
        more_groups(prober, all, Vec::new(), fields)
    );
    let groups = &mut modern.groups;
    groups.accepted.extend(fields.accepted);
    groups.end = match (groups.end.clone(), fields.end) {
        (End::Unknown(trouble), _) | (_, End::Unknown(trouble)) => End::Unknown(trouble),
        // The whole is as certain as its least certain part.
        (End::Refused(one), End::Refused(other)) => {
            let (inferred, proven): (Vec<_>, Vec<_>) = one.into_iter().chain(other).partition(|end| !end.proven);
            End::Refused(inferred.into_iter().chain(proven).next())
        }
    };
    modern.choices.extend(among(choices, &modern.suites.accepted));
    modern
}

/// These choices as made among the accepted suites alone.
pub fn among(choices: Vec<Choice>, accepted: &[u16]) -> impl Iterator<Item = Choice> {
    choices.into_iter().map(|(mut offered, choice)| {
        offered.retain(|id| accepted.contains(id));
        (offered, choice)
    })
}

async fn suites_and_curves(
    prober: &Prober<'_>,
    first: Box<ServerFlight>,
    all: Vec<u16>,
    mut groups_left: Vec<u16>,
) -> Modern {
    let offered_groups = plan::groups(Version::Tls13);
    let mut suites_left = all.clone();
    let (mut suites, mut groups) = (Vec::new(), Vec::new());
    let mut answer = Answer::Yes(first);
    while let Answer::Yes(flight) = &answer {
        let suite = flight.hello.suite;
        suites_left.retain(|id| *id != suite);
        suites.push(suite);
        if let Some(group) =
            flight.hello.group().filter(|group| offered_groups.contains(group) && !groups.contains(group))
        {
            groups_left.retain(|id| *id != group);
            groups.push(group);
        }
        if COMMON.iter().all(|id| suites.contains(id)) || suites_left.is_empty() || groups_left.is_empty() {
            break;
        }
        prober.more_follows();
        let offer = Offer { groups: groups_left.clone(), ..Offer::new(Version::Tls13, suites_left.clone()) };
        answer = prober.settle(&offer, "suites and groups of TLSv1.3").await;
    }
    let rest = suites::run(prober, Version::Tls13, suites_left, None, false);
    let (rest, groups) = tokio::join!(rest, more_groups(prober, suites.clone(), groups, groups_left));
    suites.extend(rest.accepted);
    Modern {
        suites: Found { runs: Vec::new(), offered: all, accepted: suites, end: rest.end },
        groups: groups.0,
        choices: groups.1,
    }
}

/// The order turned round, except that ChaCha20 stays behind: some servers prefer it when it comes first.
pub fn turned(ids: &[u16]) -> Vec<u16> {
    let mut turned: Vec<u16> = ids.iter().rev().copied().collect();
    turned.sort_by_key(|id| plan::is_chacha(*id));
    turned
}

/// The order in which a loop over groups offers the accepted suites, so that it shows who chooses among them: first
/// turned round, then with ChaCha20 in front.
pub fn in_step(accepted: &[u16], step: usize) -> Vec<u16> {
    let mut order = turned(accepted);
    if step > 0 {
        order.sort_by_key(|id| !plan::is_chacha(*id));
    }
    order
}

/// The groups that are left, in reversed order, with these accepted suites. Also the suites chosen.
async fn more_groups(
    prober: &Prober<'_>,
    suites: Vec<u16>,
    mut accepted: Vec<u16>,
    mut left: Vec<u16>,
) -> (Found, Vec<Choice>) {
    let offered = plan::groups(Version::Tls13);
    let (mut choices, mut more) = (Vec::new(), Vec::new());
    let end = loop {
        // A handshake may have met one of them meanwhile.
        let met = prober.with_ledger(|ledger| ledger.groups_of(Version::Tls13));
        more.extend(left.extract_if(.., |group| met.contains(group)));
        if left.is_empty() {
            break End::Refused(None);
        }
        prober.more_follows();
        let groups = left.iter().rev().copied().collect();
        let order = in_step(&suites, choices.len());
        let offer = Offer { groups, ..Offer::new(Version::Tls13, order.clone()) };
        match prober.settle(&offer, "groups of TLSv1.3").await {
            Answer::Yes(flight) => {
                choices.push((order, flight.hello.suite));
                match flight.hello.group().filter(|group| left.contains(group)) {
                    Some(group) => {
                        left.retain(|id| *id != group);
                        accepted.push(group);
                    }
                    // The server does not heed the list; the ledger has noted it.
                    None => break End::Refused(None),
                }
            }
            Answer::No(refusal) => break End::Refused(Some(refusal)),
            Answer::Unknown(trouble) => break End::Unknown(trouble),
        }
    };
    let runs = vec![accepted.len()];
    accepted.extend(more);
    (Found { runs, offered, accepted, end }, choices)
}

/// What the baseline's answer says on TLS 1.3.
pub fn from_baseline(answer: &Answer) -> Option<Answer> {
    let Answer::Yes(flight) = answer else { return None };
    match Version::from_code(flight.hello.negotiated()) {
        Some(Version::Tls13) => Some(answer.clone()),
        Some(lower) => Some(Answer::No(Refusal {
            proven: true,
            version: true,
            seen: format!("answered with {} where both were offered", lower.name()),
        })),
        None => None,
    }
}

/// TLS_FALLBACK_SCSV: whether a second-best hello marked as a fallback is refused; and whether that is proven.
pub async fn fallback_scsv(prober: &Prober<'_>, version: Version, suites: Vec<u16>) -> Result<(bool, bool), Trouble> {
    let offer = Offer { fallback: true, ..Offer::new(version, suites) };
    let step = "fallback protection";
    let mut first = prober.ask(&offer, step).await;
    let is = |outcome: &super::probe::Outcome| match outcome {
        super::probe::Outcome::Hello(_) => Some((false, true)),
        super::probe::Outcome::Alert(Alert { description: alert::INAPPROPRIATE_FALLBACK, .. }) => Some((true, true)),
        _ => None,
    };
    if let Some(known) = is(&first) {
        return Ok(known);
    }
    prober.apart().await?;
    let second = prober.ask(&offer, step).await;
    if let Some(known) = is(&second) {
        prober.changed(&first, &second);
        return Ok(known);
    }
    if std::mem::discriminant(&first) != std::mem::discriminant(&second) {
        first = super::probe::Outcome::NoTransport(second.trouble());
    }
    // Without the mark the same hello is known to work; if it works now, too, the refusal was due to the mark.
    let plain = Offer { fallback: false, ..offer.clone() };
    match (first, prober.settle(&plain, step).await) {
        (super::probe::Outcome::Alert(_) | super::probe::Outcome::Closed(_), Answer::Yes(_)) => Ok((true, false)),
        (outcome, _) => Err(outcome.trouble()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chacha_stays_behind_when_the_order_is_turned() {
        assert_eq!(turned(&[0x1301, 0x1302, 0x1303]), [0x1302, 0x1301, 0x1303]);
    }
}
