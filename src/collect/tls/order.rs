//! Who chooses among the accepted suites, and in which order.

use super::modern::Choice;
use super::offer::Offer;
use super::plan;
use super::prober::{Answer, Prober};
use super::suites::{Found, follows};
use crate::model::Fact;
use crate::model::tls::Order;
use crate::wire::Version;

/// So many choices of groups in our order show that the client's order counts; fewer may be chance.
const ENOUGH: usize = 2;
/// So many hellos may be spent on the order across lists.
const COMPARISONS: usize = 24;

/// The order of a version's suites. `choices` were seen already, from other orders of some or all of them.
pub async fn of_version(prober: &Prober<'_>, version: Version, lists: &[Found], choices: &[Choice]) -> Option<Order> {
    let accepted: Vec<u16> = lists.iter().flat_map(|list| list.accepted.iter().copied()).collect();
    let words = |ids: &[u16]| ids.iter().map(|id| format!("0x{id:04X}")).collect::<Vec<String>>();
    let order = |preference, ids: &[u16], chacha| Order {
        protocol: version.name().to_owned(),
        preference,
        ids: words(ids),
        chacha_priority: chacha,
        apart: Vec::new(),
    };
    let none = || Fact::Known("not-applicable".to_owned());
    match accepted.len() {
        0 => return None,
        1 => return Some(order(Fact::Known("single".to_owned()), &accepted, none())),
        _ => {}
    }
    let preference = preference(prober, version, lists, &accepted, choices).await;
    if preference.known().is_none_or(|word| word == "client") {
        let mut by_offer = lists.iter().flat_map(in_our_order).collect::<Vec<u16>>();
        by_offer.dedup();
        let chacha = preference.reason().map_or_else(none, Fact::unknown);
        return Some(order(preference, &by_offer, chacha));
    }
    let parts: Vec<Vec<u16>> = lists.iter().flat_map(Found::sequences).map(<[u16]>::to_vec).collect();
    match Merge::new(prober, version).all(parts.clone()).await {
        Ok(ids) => {
            let (chacha, ids) = chacha_priority(prober, version, ids, choices).await;
            Some(order(preference, &ids, chacha))
        }
        Err(reason) => {
            let open = order(Fact::unknown(reason), &accepted, Fact::unknown("the server's order is not known"));
            Some(Order { apart: parts.iter().map(|part| words(part)).collect(), ..open })
        }
    }
}

fn in_our_order(list: &Found) -> Vec<u16> {
    list.offered.iter().copied().filter(|id| list.accepted.contains(id)).collect()
}

async fn preference(
    prober: &Prober<'_>,
    version: Version,
    lists: &[Found],
    accepted: &[u16],
    choices: &[Choice],
) -> Fact<String> {
    // A choice says nothing where client and server would choose the same.
    let differs = |offered: &[u16]| offered.first() != accepted.iter().find(|id| offered.contains(id));
    let turned = choices.iter().find(|(offered, _)| offered.len() > 1 && differs(offered));
    let word = match (follows_ours(lists), turned) {
        (true, Some((offered, choice))) => word(offered, *choice, accepted),
        (false, _) => "server",
        // The server's own order may happen to be ours.
        (true, None) => {
            let sequences: Vec<&[u16]> = lists.iter().flat_map(Found::sequences).collect();
            return ask(prober, version, accepted, &sequences).await;
        }
    };
    Fact::Known(word.to_owned())
}

/// Whether every list was answered in our order.
pub fn follows_ours(lists: &[Found]) -> bool {
    lists.iter().all(|list| follows(&list.offered, list.first_sequence()))
}

/// What a choice from a turned order, of all accepted suites or of some, says.
fn word(offered: &[u16], choice: u16, accepted: &[u16]) -> &'static str {
    match (offered.first(), accepted.iter().find(|id| offered.contains(id))) {
        (Some(first), _) if *first == choice => "client",
        (_, Some(first)) if *first == choice => "server",
        _ => "mixed",
    }
}

/// Asks for the suites turned round. Where they were found in several sequences, it is not known which of them the server
/// would choose first, and a choice of the client's first counts only if it is made the other way round, too; or if
/// another was chosen before it when both were on offer.
async fn ask(prober: &Prober<'_>, version: Version, accepted: &[u16], sequences: &[&[u16]]) -> Fact<String> {
    let offered = super::modern::turned(accepted);
    // ChaCha20 stays behind, so that of it and one other suite only the list as it stands can be asked.
    let offered = if offered == accepted { offered.into_iter().rev().collect() } else { offered };
    let beaten = |id: u16| sequences.iter().any(|sequence| sequence.iter().skip(1).any(|other| *other == id));
    let open = sequences.len() > 1 && offered.first().is_some_and(|first| !beaten(*first));
    match prober.settle(&Offer::new(version, offered.clone()), "order of suites").await {
        Answer::Yes(flight) if open && offered.first() == Some(&flight.hello.suite) => {
            let (last, back) = (flight.hello.suite, offered.into_iter().rev().collect::<Vec<u16>>());
            match prober.settle(&Offer::new(version, back.clone()), "order of suites").await {
                Answer::Yes(flight) if back.first() == Some(&flight.hello.suite) => Fact::Known("client".to_owned()),
                Answer::Yes(flight) if flight.hello.suite == last => Fact::Known("server".to_owned()),
                Answer::Yes(_) => Fact::Known("mixed".to_owned()),
                other => unsettled(other),
            }
        }
        Answer::Yes(flight) => Fact::Known(word(&offered, flight.hello.suite, accepted).to_owned()),
        other => unsettled(other),
    }
}

fn unsettled(answer: Answer) -> Fact<String> {
    match answer {
        Answer::No(refusal) => Fact::unknown(format!("suites accepted singly were refused together: {}", refusal.seen)),
        Answer::Unknown(trouble) => Fact::unknown(trouble.detail),
        Answer::Yes(_) => Fact::unknown("inconsistent answers"),
    }
}

/// Whether ChaCha20 wins when the client wants it first, though the server puts another before it. Also the order for
/// clients that do not.
async fn chacha_priority(
    prober: &Prober<'_>,
    version: Version,
    ids: Vec<u16>,
    choices: &[Choice],
) -> (Fact<String>, Vec<u16>) {
    let auth = |id: u16| plan::suite(id).map(|row| row.auth.as_str());
    let applies = |chacha: u16| ids.iter().any(|id| is_gcm(*id) && auth(*id) == auth(chacha));
    let candidates: Vec<u16> = ids.iter().copied().filter(|id| plan::is_chacha(*id) && applies(*id)).collect();
    let Some(chacha) = candidates.first().copied() else {
        return (Fact::Known("not-applicable".to_owned()), ids);
    };
    let first = ids.first() == Some(&chacha);
    // The suites that the client is to want first. Where the server puts ChaCha20 first, some do so only as long as the
    // client does not begin with AES-GCM, as our hellos do not: Go does.
    let wanted: Vec<u16> = match first {
        true => ids.iter().copied().filter(|id| is_gcm(*id)).collect(),
        false => vec![chacha],
    };
    // A loop over groups may have asked already, with such a suite in front of one that the server puts before it.
    let place = |id: &u16| ids.iter().position(|other| other == id);
    let asked = choices.iter().find(|(offered, _)| {
        let leads = |id: &&u16| if first { is_gcm(**id) } else { candidates.contains(id) };
        let lead = offered.first().filter(leads);
        let other = |id: &u16| plan::is_chacha(*id) == first && place(id) < place(lead.unwrap_or(id));
        lead.is_some() && offered.iter().any(other)
    });
    let choice = match asked {
        Some((_, choice)) => *choice,
        None => {
            let rest = ids.iter().copied().filter(|id| !wanted.contains(id));
            let offered: Vec<u16> = wanted.iter().copied().chain(rest).collect();
            match prober.settle(&Offer::new(version, offered), "priority of ChaCha20").await {
                Answer::Yes(flight) => flight.hello.suite,
                Answer::No(refusal) => return (Fact::unknown(refusal.seen), ids),
                Answer::Unknown(trouble) => return (Fact::unknown(trouble.detail), ids),
            }
        }
    };
    match (plan::is_chacha(choice), first) {
        (true, false) => (Fact::Known("yes".to_owned()), ids),
        (false, true) => (Fact::Known("yes".to_owned()), chacha_behind(&ids)),
        _ => (Fact::Known("no".to_owned()), ids),
    }
}

fn is_gcm(id: u16) -> bool {
    plan::suite(id).is_some_and(|row| row.enc == "AES-GCM")
}

/// The order with ChaCha20 behind AES-GCM, all else as it was.
fn chacha_behind(ids: &[u16]) -> Vec<u16> {
    let last = ids.iter().rposition(|id| is_gcm(*id)).map_or(0, |place| place + 1);
    let (front, back) = ids.split_at_checked(last).unwrap_or((ids, &[]));
    let (chacha, others): (Vec<u16>, Vec<u16>) = front.iter().partition(|id| plan::is_chacha(**id));
    others.into_iter().chain(chacha).chain(back.iter().copied()).collect()
}

/// Lists that are each in the server's order become one by asking for pairs across them.
struct Merge<'a, 'b> {
    prober: &'a Prober<'b>,
    version: Version,
    asked: usize,
}

impl<'a, 'b> Merge<'a, 'b> {
    fn new(prober: &'a Prober<'b>, version: Version) -> Merge<'a, 'b> {
        Merge { prober, version, asked: 0 }
    }

    async fn all(mut self, parts: Vec<Vec<u16>>) -> Result<Vec<u16>, String> {
        let mut merged: Vec<u16> = Vec::new();
        for part in parts {
            merged = self.two(merged, part).await?;
        }
        Ok(merged)
    }

    async fn two(&mut self, one: Vec<u16>, other: Vec<u16>) -> Result<Vec<u16>, String> {
        let (Some(one_last), Some(other_last)) = (one.last().copied(), other.last().copied()) else {
            return Ok([one, other].concat());
        };
        let (Some(one_first), Some(other_first)) = (one.first().copied(), other.first().copied()) else {
            return Ok([one, other].concat());
        };
        // Most often the lists do not interleave: two questions tell. ECDSA, which comes second, mostly goes first.
        if self.wins(other_last, one_first).await? {
            return Ok([other, one].concat());
        }
        if self.wins(one_last, other_first).await? {
            return Ok([one, other].concat());
        }
        if self.asked + one.len() + other.len() > COMPARISONS + 1 {
            return self.inserted(one, other).await;
        }
        let (mut one, mut other) = (one.into_iter().peekable(), other.into_iter().peekable());
        let mut merged = Vec::new();
        while let (Some(left), Some(right)) = (one.peek().copied(), other.peek().copied()) {
            let next = if self.wins(left, right).await? { one.next() } else { other.next() };
            merged.extend(next);
        }
        Ok(merged.into_iter().chain(one).chain(other).collect())
    }

    /// The same with fewer questions where one list is short: the place of each of its suites is found by halving.
    async fn inserted(&mut self, one: Vec<u16>, other: Vec<u16>) -> Result<Vec<u16>, String> {
        let (mut long, short) = if one.len() < other.len() { (other, one) } else { (one, other) };
        let questions = (long.len() + short.len()).ilog2() as usize + 1;
        if self.asked + short.len() * questions > COMPARISONS {
            return Err(format!("the server chooses, and its order cannot be settled within {COMPARISONS} hellos"));
        }
        let mut from = 0;
        for suite in short {
            let mut to = long.len();
            while from < to {
                let middle = from.midpoint(to);
                match long.get(middle).copied() {
                    Some(there) if self.wins(there, suite).await? => from = middle + 1,
                    _ => to = middle,
                }
            }
            long.insert(from, suite);
            from += 1;
        }
        Ok(long)
    }

    /// Whether the server prefers this suite to that, which the client would like better.
    async fn wins(&mut self, this: u16, that: u16) -> Result<bool, String> {
        if self.asked == COMPARISONS {
            return Err(format!("the server chooses, and its order was not settled within {COMPARISONS} hellos"));
        }
        self.asked += 1;
        match self.prober.settle(&Offer::new(self.version, vec![that, this]), "order of suites").await {
            Answer::Yes(flight) => Ok(flight.hello.suite == this),
            Answer::No(refusal) => Err(refusal.seen),
            Answer::Unknown(trouble) => Err(trouble.detail),
        }
    }
}

/// Who chooses the group. Where the loop leaves it open, two groups are offered in the order not seen yet.
pub async fn of_groups(prober: &Prober<'_>, version: Version, suites: &[u16], groups: &Found) -> Fact<String> {
    match groups_seen(groups) {
        Some(word) => Fact::Known(word.to_owned()),
        None => {
            let turned: Vec<u16> = groups.accepted.iter().rev().copied().collect();
            let wanted = turned.first().copied();
            let offer = Offer { groups: turned, ..Offer::new(version, suites.to_vec()) };
            match prober.settle(&offer, "order of groups").await {
                Answer::Yes(flight) => {
                    let chosen = flight.hello.group().or_else(|| super::legacy_groups::group_of(&flight));
                    Fact::Known(if chosen == wanted { "client" } else { "server" }.to_owned())
                }
                Answer::No(refusal) => Fact::unknown(refusal.seen),
                Answer::Unknown(trouble) => Fact::unknown(trouble.detail),
            }
        }
    }
}

/// What the loop showed: the first group was chosen from our order, the others from the reverse of it.
fn groups_seen(groups: &Found) -> Option<&'static str> {
    let accepted = &groups.accepted;
    match accepted.len() {
        0 => return Some("not-applicable"),
        1 => return Some("single"),
        _ => {}
    }
    let (first, rest) = groups.first_sequence().split_at_checked(1)?;
    let best_first = groups.offered.iter().find(|id| accepted.contains(id)) == first.first();
    let reversed: Vec<u16> = groups.offered.iter().rev().copied().collect();
    match (best_first, follows(&reversed, rest)) {
        (true, true) if rest.len() >= ENOUGH => Some("client"),
        (true, true) => None,
        _ => Some("server"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::tls::suites::End;

    fn groups(accepted: &[u16]) -> Found {
        Found { offered: vec![1, 2, 3, 4], accepted: accepted.to_vec(), runs: Vec::new(), end: End::Refused(None) }
    }

    #[test]
    fn a_choice_from_a_turned_order_tells_who_chooses() {
        assert_eq!(word(&[3, 2, 1], 3, &[1, 2, 3]), "client");
        assert_eq!(word(&[3, 2, 1], 1, &[1, 2, 3]), "server");
        assert_eq!(word(&[3, 2, 1], 2, &[1, 2, 3]), "mixed");
    }

    #[test]
    fn chacha_goes_behind_gcm_and_nothing_else_moves() {
        let go = [0xCCA9, 0xCCA8, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xC013];
        assert_eq!(chacha_behind(&go), [0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013]);
    }

    #[test]
    fn the_order_of_groups_is_read_off_both_orders() {
        assert_eq!(groups_seen(&groups(&[1, 4, 3])), Some("client"));
        assert_eq!(groups_seen(&groups(&[2, 1, 3])), Some("server"));
        assert_eq!(groups_seen(&groups(&[1, 2, 3])), Some("server"));
        assert_eq!(groups_seen(&groups(&[1])), Some("single"));
        assert_eq!(groups_seen(&groups(&[1, 4])), None);
    }
}
