//! `--show-connections`: what a look intends to spend on a target, and what it spent.

use crate::collect::{Limits, Progress};
use crate::net::{Accepts, Dial, Dialing, Place, Stream};
use crate::report::text;
use comfy_table::{Table, presets};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What each stage of a look at one address takes.
const PLAN: &[(&str, &str)] = &[
    ("first hellos", "4, side by side: whether there is TLS at all"),
    (
        "versions and suites",
        "one for each accepted suite, one for each list that is refused, one or two for each version",
    ),
    ("order of suites", "0 to 3 a version with two suites or more; mostly answered by the loops over groups"),
    ("groups", "one for each accepted group beyond the first, and one that is refused"),
    ("certificates of TLSv1.3", "one for each kind of key, and one that is refused"),
    ("fallback protection", "1 with two versions or more"),
    ("sessions", "about 6 with TLS 1.2 and 1.3: resumption, renegotiation, Ticketbleed; 2 more with --profile full"),
    ("finite-field groups", "0 mostly; 1 to 5 where DHE has a prime of RFC 7919"),
    ("revocation", "with --revocation, one to a responder or list for each certificate; not counted below"),
    ("known flaws", "1 where nothing is amiss; 10 more with RSA key exchange, 6 to 13 more with CBC"),
    ("staple", "1 after 3 s, where a certificate names a responder and none came; left out by --profile quick"),
    ("finite-field parameters", "0 or 1"),
    ("known clients", "one for each known client; only with --clients live"),
    ("request for TLS", "1 where TLS has to be asked for, and 1 to 3 for the injection of a command"),
    ("signatures, names, tolerance", "about 30; left out by --profile quick"),
    ("control", "1 after each refusal that is only inferred; more with waits of 2, 8 and 30 s where it fails"),
    ("http", "one for each request: 6 to 8, and one for each redirect that is followed"),
];

/// The stage of the plan that a step belongs to; what the plan does not name stands for itself.
fn stage(step: &str) -> &str {
    match step {
        "first hello" => "first hellos",
        "control" => "control",
        "fallback protection" => "fallback protection",
        "certificates of TLSv1.3" => "certificates of TLSv1.3",
        "order of suites" | "priority of ChaCha20" => "order of suites",
        "order of groups" => "groups",
        "ticket" | "Ticketbleed" | "insecure renegotiation" | "client-initiated renegotiation" => "sessions",
        "heartbleed" | "ccs" | "robot" | "CBC padding" | "CVE-2016-2107" => "known flaws",
        "server names" | "application protocols" | "unusual hellos" => "signatures, names, tolerance",
        _ if step.starts_with("suites") || step.starts_with("TLSv1.") || step.starts_with("SSLv") => {
            "versions and suites"
        }
        _ if step.starts_with("groups") => "groups",
        _ if step.starts_with("session") || step.starts_with("resumption") || step.starts_with("ticket") => "sessions",
        _ if step.starts_with("signature schemes") => "signatures, names, tolerance",
        other => other,
    }
}

/// Counts connections by address, and probes by what they were for.
pub struct Spending {
    inner: Arc<dyn Progress>,
    steps: Steps,
    /// How many connections at once there were to be after each throttling, by address.
    slowed: Mutex<BTreeMap<String, Vec<usize>>>,
    opened: Arc<Mutex<Opened>>,
}

/// By target and part, and then by what was asked.
type Steps = Arc<Mutex<BTreeMap<(String, String), BTreeMap<String, u32>>>>;

/// What went out.
#[derive(Default)]
struct Opened {
    connections: BTreeMap<SocketAddr, u32>,
    datagrams: u32,
}

impl Spending {
    /// Counts, and passes what it is told on to this display.
    pub fn new(inner: Arc<dyn Progress>) -> Arc<Spending> {
        Arc::new(Spending { inner, steps: Arc::default(), slowed: Mutex::default(), opened: Arc::default() })
    }

    /// This network, counted.
    pub fn counting(&self, dial: Arc<dyn Dial>) -> Arc<dyn Dial> {
        Arc::new(Counting { dial, opened: Arc::clone(&self.opened), steps: Arc::clone(&self.steps) })
    }

    /// The plan, before the first connection.
    pub fn plan(limits: Limits) -> String {
        let rate = limits.rate.map_or_else(|| "no limit a second".to_owned(), |rate| format!("{rate} a second"));
        let mut words = format!(
            "connections to one target: {} at once, {rate}, for at most {} s\n",
            limits.connections,
            limits.target_time.as_secs()
        );
        let mut table = bare();
        for (stage, cost) in PLAN {
            table.add_row([*stage, *cost]);
        }
        words.push_str(&table.to_string());
        words.push('\n');
        words
    }

    /// What was spent, address by address.
    pub fn spent(&self) -> String {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = bare();
        table.set_header(["address", "stage", "for", "questions"]);
        for ((_, part), steps) in steps.iter() {
            let mut rows: Vec<(&str, &String, &u32)> =
                steps.iter().map(|(step, count)| (stage(step), step, count)).collect();
            let place = |name: &str| PLAN.iter().position(|(known, _)| *known == name).unwrap_or(usize::MAX);
            rows.sort_by_key(|(stage, step, _)| (place(stage), *stage, *step));
            for (stage, step, count) in rows {
                let cells = [part.as_str(), stage, step].map(|cell| text::escape(cell).to_string());
                table.add_row(cells.into_iter().chain([count.to_string()]));
            }
        }
        let slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = String::new();
        for (address, count) in &opened.connections {
            lines.push_str(&format!("{address}: {count} connections"));
            if let Some(most) = slowed.get(&address.to_string()) {
                let most: Vec<String> = most.iter().map(usize::to_string).collect();
                lines.push_str(&format!(", throttled: then at most {} at once", most.join(", then ")));
            }
            lines.push('\n');
        }
        let all: u32 = opened.connections.values().sum();
        let asked = match opened.datagrams {
            0 => String::new(),
            count => format!("{count} datagrams asked resolvers\n"),
        };
        format!("{table}\n{lines}{asked}{all} connections were opened; some answered several questions\n")
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

impl Progress for Spending {
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        // HTTP tells of its beginning and end alone; its connections are counted as they open.
        if done > 0 && step != "http" {
            let of_part = steps.entry((target.to_owned(), part.to_owned())).or_default();
            *of_part.entry(step.to_owned()).or_default() += 1;
        }
        drop(steps);
        self.inner.step(target, part, done, total, step);
    }

    fn slowed(&self, target: &str, part: &str, connections: usize) {
        let mut slowed = self.slowed.lock().unwrap_or_else(PoisonError::into_inner);
        slowed.entry(part.to_owned()).or_default().push(connections);
        drop(slowed);
        self.inner.slowed(target, part, connections);
    }

    fn done(&self, target: &str) {
        self.inner.done(target);
    }
}

struct Counting {
    dial: Arc<dyn Dial>,
    opened: Arc<Mutex<Opened>>,
    steps: Steps,
}

impl Dial for Counting {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        self.dial.resolve(host, port)
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let stream = self.dial.connect(address, timeout).await?;
            count(&self.opened, address);
            Ok(stream)
        })
    }

    fn place(&self, address: SocketAddr) -> Dialing<'_, Place> {
        Box::pin(async move {
            let mut place = self.dial.place(address).await?;
            let (opened, steps) = (Arc::clone(&self.opened), Arc::clone(&self.steps));
            place.on_open(move || {
                count(&opened, address);
                let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
                let of_part = steps.entry((String::new(), address.to_string())).or_default();
                *of_part.entry("http".to_owned()).or_default() += 1;
            });
            Ok(place)
        })
    }

    fn exchange<'a>(
        &'a self,
        address: SocketAddr,
        datagram: &'a [u8],
        accepts: Accepts<'a>,
        timeout: Duration,
    ) -> Dialing<'a, Vec<u8>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).datagrams += 1;
        self.dial.exchange(address, datagram, accepts, timeout)
    }
}

fn count(opened: &Mutex<Opened>, address: SocketAddr) {
    *opened.lock().unwrap_or_else(PoisonError::into_inner).connections.entry(address).or_default() += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Silent;

    #[test]
    fn what_was_spent_stands_under_its_stage_with_the_throttling() {
        let spending = Spending::new(Arc::new(Silent));
        let steps = ["first hello", "suites of TLSv1.2", "suites of TLSv1.2", "CBC padding", "something else"];
        for (n, step) in (1..).zip(steps) {
            spending.step("shop", "192.0.2.1:443", n, 5, step);
        }
        spending.slowed("shop", "192.0.2.1:443", 4);
        spending.slowed("shop", "192.0.2.1:443", 2);
        let address = "192.0.2.1:443".parse().unwrap();
        spending.opened.lock().unwrap().connections.insert(address, 5);
        let spent = spending.spent();
        let rows: Vec<Vec<&str>> = spent.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[2], ["192.0.2.1:443", "versions", "and", "suites", "suites", "of", "TLSv1.2", "2"]);
        assert_eq!(rows[3], ["192.0.2.1:443", "known", "flaws", "CBC", "padding", "1"]);
        assert!(spent.contains("192.0.2.1:443: 5 connections, throttled: then at most 4, then 2 at once"), "{spent}");
    }
}
