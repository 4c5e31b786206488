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
    ("signatures, names, tolerance", "about 30; left out by --profile quick"),
    ("control", "1 after each refusal that is only inferred; more with waits of 2, 8 and 30 s where it fails"),
    ("http", "one for each request: 6 to 8, and one for each redirect that is followed"),
];

/// Counts connections by address, and probes by what they were for.
pub struct Spending {
    inner: Arc<dyn Progress>,
    steps: Steps,
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
        Arc::new(Spending { inner, steps: Arc::default(), opened: Arc::default() })
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
        table.set_header(["address", "for", "questions"]);
        for ((_, part), steps) in steps.iter() {
            for (step, count) in steps {
                table.add_row([text::escape(part).to_string(), text::escape(step).to_string(), count.to_string()]);
            }
        }
        let all: u32 = opened.connections.values().sum();
        let asked = match opened.datagrams {
            0 => String::new(),
            count => format!("{count} datagrams asked resolvers\n"),
        };
        format!("{table}\n{asked}{all} connections were opened; some answered several questions\n")
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
