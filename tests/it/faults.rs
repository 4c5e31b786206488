//! Servers that misbehave: no wrong fact, only unknowns, in bounded time and with few connections.

mod compare;

use crate::support::faulty::{Draw, Fault, Moment, Network, Serve, Weather};
use crate::support::recorded::Recorded;
use crate::support::tls::{context, haproxy, look_with, loopback, nginx, scripted, target};
use crate::support::{Scratch, Server, lab};
use probity::collect::tls::Tls;
use probity::collect::{CollectContext, Collector, Job, Limits};
use probity::model::target::{Depth, Profile};
use probity::model::{FixedClock, Observation, ObservationStatus};
use probity::net::{Dial, SeededRandom};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// Looks at each server in each sort of weather.
const RUNS: u64 = 50;
/// How far away every server is.
const ROUND_TRIP: Duration = Duration::from_millis(30);
/// The time of a target, and what may pass after its end.
const LIMIT: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(20);

fn address() -> SocketAddr {
    ([192, 0, 2, 1], 443).into()
}

/// One look in virtual time, and what it took.
fn look(network: &Arc<Network>, depth: Depth, seed: u64) -> (Vec<Observation>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let cx = CollectContext {
        dial: Arc::clone(network) as Arc<dyn Dial>,
        random: Arc::new(SeededRandom::new(seed)),
        clock: Arc::new(FixedClock(*NOW)),
        limits: Limits { depth, ..Limits::default() },
        ..context()
    };
    let job = Job { target: target(address()), addresses: vec![address()], earlier: Vec::new() };
    runtime.block_on(async {
        let begin = tokio::time::Instant::now();
        let seen = Tls.collect(&job, &cx).await;
        (seen, begin.elapsed())
    })
}

/// The present, for all looks.
static NOW: LazyLock<jiff::Timestamp> = LazyLock::new(jiff::Timestamp::now);
/// What nginx with HTTP/2 speaks.
const NGINX_ALPN: [&str; 2] = ["h2", "http/1.1"];
const QUICK: Depth = Depth { profile: Profile::Quick, intrusive: true };
const FULL: Depth = Depth { profile: Profile::Full, intrusive: true };

fn calm() -> Weather {
    Box::new(|_| Fault::None)
}

/// A recorded server, and what an undisturbed look at it gives.
struct Bench {
    server: Arc<dyn Serve>,
    quick: Vec<Observation>,
    full: Vec<Observation>,
    _real: Server,
    _scratch: Scratch,
}

impl Bench {
    fn new(scratch: Scratch, real: Server, server: Recorded) -> Bench {
        let server: Arc<dyn Serve> = Arc::new(server);
        let calm = |depth| look(&Arc::new(Network::new(Arc::clone(&server), ROUND_TRIP, calm())), depth, 0).0;
        let (quick, full) = (calm(QUICK), calm(FULL));
        for observation in quick.iter().chain(&full).filter(|seen| seen.kind == "tls.protocols") {
            assert_eq!(observation.status, ObservationStatus::Complete, "{observation:?}");
        }
        Bench { server, quick, full, _real: real, _scratch: scratch }
    }

    fn pair(scratch: &Scratch, kind: &str) -> (PathBuf, PathBuf) {
        (scratch.path().join(format!("{kind}.key")), scratch.path().join(format!("{kind}.pem")))
    }

    fn modern() -> Option<Bench> {
        let scratch = Scratch::new("faults-modern");
        let lines = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
            ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";
        let (real, port) = nginx(&scratch, lines)?;
        let server = Recorded::new(port, &[Bench::pair(&scratch, "rsa")], &NGINX_ALPN, true, false);
        Some(Bench::new(scratch, real, server))
    }

    fn weak() -> Option<Bench> {
        let scratch = Scratch::new("faults-weak");
        let lines = "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers
            ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA:AES128-SHA:AES256-SHA:CAMELLIA128-SHA:AES128-GCM-SHA256:@SECLEVEL=0;";
        let (real, port) = nginx(&scratch, lines)?;
        let server = Recorded::new(port, &[Bench::pair(&scratch, "rsa")], &NGINX_ALPN, false, false);
        Some(Bench::new(scratch, real, server))
    }

    fn two_certificates() -> Option<Bench> {
        let scratch = Scratch::new("faults-haproxy");
        let (real, port) = haproxy(&scratch, "")?;
        let pairs = ["ecdsa", "rsa"].map(|kind| Bench::pair(&scratch, kind));
        let server = Recorded::new(port, &pairs, &[], true, false);
        Some(Bench::new(scratch, real, server))
    }

    fn old() -> Option<Bench> {
        let scratch = Scratch::new("faults-old");
        let options =
            lab::Options { ciphers: "ALL:EXP:!eNULL:!aNULL:!DH:!CAMELLIA:!SEED:!PSK", ..lab::Options::default() };
        let (real, port) = lab::node(&scratch, lab::OPENSSL_1_0_1E, &options)?;
        let server = Recorded::new(port, &[], &[], false, true);
        Some(Bench::new(scratch, real, server))
    }

    fn all() -> Vec<(&'static str, Bench)> {
        let all = [
            ("modern", Bench::modern()),
            ("weak", Bench::weak()),
            ("two certificates", Bench::two_certificates()),
            ("old", Bench::old()),
        ];
        all.into_iter().filter_map(|(name, bench)| Some((name, bench?))).collect()
    }
}

/// What many looks in bad weather gave.
#[derive(Default)]
struct Sum {
    wrong: BTreeMap<String, (u32, String)>,
    known: usize,
    unknown: usize,
    most: u32,
    longest: Duration,
}

/// So many looks at each server in weather of this sort; one in four of them full.
fn survive(name: &str, runs: u64, weather: impl Fn(u64) -> Weather + Sync) -> Sum {
    let sum = Mutex::new(Sum::default());
    for (server, bench) in Bench::all() {
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= runs {
                            return;
                        }
                        one(name, server, &bench, seed, weather(seed), &sum);
                    }
                });
            }
        });
    }
    let sum = sum.into_inner().unwrap();
    eprintln!(
        "{name}: {} known, {} unknown; at most {} connections and {:?}",
        sum.known, sum.unknown, sum.most, sum.longest
    );
    for (fact, (times, words)) in &sum.wrong {
        eprintln!("{times} x {fact}: {words}");
    }
    sum
}

fn one(name: &str, server: &str, bench: &Bench, seed: u64, weather: Weather, sum: &Mutex<Sum>) {
    let full = seed % 4 == 3;
    let network = Arc::new(Network::new(Arc::clone(&bench.server), ROUND_TRIP, weather));
    let (seen, time) = look(&network, if full { FULL } else { QUICK }, seed);
    let wrong = compare::wrong(if full { &bench.full } else { &bench.quick }, &seen);
    let (known, unknown) = compare::known(&seen);
    if std::env::var_os("FAULTS_SHOWN").is_some() && !wrong.is_empty() {
        let transcript = &seen.iter().find(|seen| seen.kind == "tls.flaws").unwrap().transcript;
        let lines: Vec<String> =
            transcript.iter().map(|exchange| format!("{} -> {}", exchange.sent, exchange.received)).collect();
        eprintln!("{name} {server} {seed}: {wrong:?}\n  {}", lines.join("\n  "));
    }
    let mut sum = sum.lock().unwrap();
    for wrong in wrong {
        let words = || format!("{name}, {server}, seed {seed}: expected {}, got {}", wrong.expected, wrong.got);
        sum.wrong.entry(wrong.fact.clone()).or_insert_with(|| (0, words())).0 += 1;
    }
    sum.known += known;
    sum.unknown += unknown;
    sum.most = sum.most.max(network.asked());
    sum.longest = sum.longest.max(time);
}

/// Half of the connections, at random, come to nothing: each in its own way, or all of a run in the same way.
fn half(seed: u64) -> Weather {
    let draw = Mutex::new(Draw::new(seed));
    Box::new(move |_| {
        let mut draw = draw.lock().unwrap();
        let (bad, sort, at, number) = (draw.below(2) == 0, draw.below(5), draw.below(3), draw.next());
        let sort = if seed.is_multiple_of(6) { sort } else { seed % 6 - 1 };
        match (bad, sort) {
            (false, _) => Fault::None,
            (_, 0) => Fault::Close,
            (_, 1) => Fault::Reset,
            (_, 2) => Fault::Silence,
            (_, 3) => Fault::Cut(u32::try_from(at).unwrap(), number),
            _ => Fault::Alert,
        }
    })
}

/// No more than ten connections in a window of time are served; in some runs it never opens again.
fn throttled(seed: u64) -> Weather {
    let mut draw = Draw::new(seed);
    let window = Duration::from_secs(1 + draw.below(40));
    let (forever, counts_all) = (seed % 5 == 4, draw.below(2) == 0);
    let fault = match seed % 4 {
        0 => Fault::Refuse,
        1 => Fault::Close,
        2 => Fault::Silence,
        _ => Fault::Slow(Duration::from_secs(20)),
    };
    let state = Mutex::new((Duration::ZERO, 0));
    Box::new(move |Moment { time, .. }| {
        let mut state = state.lock().unwrap();
        if time >= state.0 + window && !forever {
            *state = (time, 0);
        }
        let served = state.1 < 10;
        if served || counts_all {
            state.1 += 1;
        }
        if served { Fault::None } else { fault }
    })
}

/// The server dies after some connections; in half of the runs it comes back.
fn dying(seed: u64) -> Weather {
    let mut draw = Draw::new(seed);
    let (last, back) = (1 + u32::try_from(draw.below(60)).unwrap(), Duration::from_secs(1 + draw.below(60)));
    let fault = match seed % 6 {
        0..=3 => Fault::Refuse,
        4 => Fault::Close,
        _ => Fault::Silence,
    };
    let died = Mutex::new(None);
    Box::new(move |Moment { number, time, .. }| {
        if number < last {
            return Fault::None;
        }
        let died = *died.lock().unwrap().get_or_insert(time);
        if seed % 2 == 1 && time > died + back { Fault::None } else { fault }
    })
}

/// Nothing wrong was said, not everything is unknown, and time and connections are bounded.
fn assert_survived(name: &str, sum: &Sum) {
    assert!(sum.wrong.is_empty(), "{name}: {} facts are wrong, see above", sum.wrong.len());
    if sum.known == 0 {
        // No server is installed.
        return;
    }
    assert!(sum.known > 3 * sum.unknown, "{name}: {} known, {} unknown", sum.known, sum.unknown);
    assert!(sum.longest <= LIMIT + GRACE, "{name}: {:?}", sum.longest);
    assert!(sum.most <= 300, "{name}: {} connections", sum.most);
}

#[test]
fn half_of_the_hellos_unanswered_make_no_wrong_fact() {
    assert_survived("half", &survive("half", RUNS, half));
}

#[test]
fn a_server_that_throttles_after_ten_connections_makes_no_wrong_fact() {
    assert_survived("throttled", &survive("throttled", RUNS, throttled));
}

#[test]
fn a_server_that_dies_makes_no_wrong_fact() {
    assert_survived("dying", &survive("dying", RUNS, dying));
}

/// More than two connections at once are closed: the look goes on with fewer, and lacks nothing in the end.
#[test]
fn a_server_that_bears_two_connections_at_once_is_asked_no_more_and_known_whole() {
    let Some(bench) = Bench::modern() else { return };
    let weather: Weather = Box::new(|moment| if moment.open >= 2 { Fault::Close } else { Fault::None });
    let network = Arc::new(Network::new(Arc::clone(&bench.server), ROUND_TRIP, weather));
    let (seen, time) = look(&network, FULL, 1);
    let wrong = compare::wrong(&bench.full, &seen);
    assert!(wrong.is_empty(), "{wrong:?}");
    for kind in ["tls.protocols", "tls.suites", "tls.groups", "tls.certificates", "tls.features", "tls.resumption"] {
        let observation = seen.iter().find(|observation| observation.kind == kind).unwrap();
        assert_eq!(observation.status, ObservationStatus::Complete, "{kind}: {:?}", observation.trouble);
    }
    let openings = network.openings();
    let most = |from: Duration, to: Duration| {
        openings.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, open)| *open).max().unwrap()
    };
    assert!(most(Duration::ZERO, Duration::from_secs(1)) > 2, "{openings:?}");
    // From the last pause on.
    let late = openings.windows(2).filter(|pair| pair[1].0 - pair[0].0 >= Duration::from_secs(2)).map(|pair| pair[1].0);
    let late = late.max().unwrap();
    assert!(most(late, time) <= 2, "{late:?} of {time:?}: {openings:?}");
    let transcript = &seen.iter().find(|observation| observation.kind == "tls.protocols").unwrap().transcript;
    for most in [4, 2] {
        let words = format!("nothing for 2 s, then at most {most} at once");
        assert!(transcript.iter().any(|exchange| exchange.sent == words), "{most}");
    }
    // The pauses are there: for two seconds after a throttling nothing is opened.
    let longest = openings.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0)).max().unwrap();
    assert!(longest >= Duration::from_secs(2), "{longest:?}");
}

/// Over real sockets, in real time: a proxy in front of a real server closes half of the connections, takes ten in each
/// four seconds, or dies after some.
#[test]
fn a_real_server_behind_a_proxy_that_misbehaves_makes_no_wrong_fact() {
    let scratch = Scratch::new("faults-real");
    let lines = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;";
    let Some((_server, port)) = nginx(&scratch, lines) else { return };
    let cx = |seconds| CollectContext {
        clock: Arc::new(FixedClock(*NOW)),
        limits: Limits { target_time: Duration::from_secs(seconds), ..context().limits },
        ..context()
    };
    let calm = look_with(target(loopback(port)), loopback(port), &cx(60)).observations;
    type Plan = fn(u64) -> Weather;
    let plans: [(&str, Plan); 3] = [
        ("half", half),
        ("throttled", |_| {
            let state = Mutex::new((Duration::ZERO, 0));
            Box::new(move |Moment { time, .. }| {
                let mut state = state.lock().unwrap();
                if time >= state.0 + Duration::from_secs(4) {
                    *state = (time, 0);
                }
                state.1 += 1;
                if state.1 > 10 { Fault::Close } else { Fault::None }
            })
        }),
        ("dying", |seed| {
            Box::new(move |moment| if u64::from(moment.number) < 20 + 9 * seed { Fault::None } else { Fault::Close })
        }),
    ];
    std::thread::scope(|scope| {
        for (name, plan) in plans {
            for seed in 1..3 {
                let calm = &calm;
                scope.spawn(move || {
                    let address = misbehaving(port, plan(seed));
                    let seen = look_with(target(address), address, &cx(20));
                    let wrong = compare::wrong(calm, &seen.observations);
                    assert!(wrong.is_empty(), "{name}, seed {seed}: {wrong:?}");
                    assert!(seen.time < Duration::from_secs(40), "{name}, seed {seed}: {:?}", seen.time);
                });
            }
        }
    });
}

/// A proxy in front of a port that treats connections by plan. Of the faults it knows closing, and closing in the
/// middle of the first answer.
fn misbehaving(port: u16, weather: Weather) -> SocketAddr {
    let (number, begin) = (AtomicU64::new(0), std::time::Instant::now());
    scripted(move |mut client| {
        let number = u32::try_from(number.fetch_add(1, Ordering::SeqCst)).unwrap();
        let fault = weather(Moment { number, time: begin.elapsed(), open: 0 });
        let Ok(server) = TcpStream::connect(loopback(port)) else { return };
        let (mut up, mut down) = (server.try_clone().unwrap(), server);
        let mut back = client.try_clone().unwrap();
        match fault {
            Fault::None => {}
            Fault::Cut(..) => {
                let mut buffer = [0; 4096];
                let Ok(count) = client.read(&mut buffer) else { return };
                let _ = up.write_all(&buffer[..count]);
                let count = down.read(&mut buffer).unwrap_or(0);
                let _ = back.write_all(&buffer[..count / 2]);
                return;
            }
            _ => return,
        }
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let _ = std::io::copy(&mut down, &mut back);
                let _ = back.shutdown(Shutdown::Both);
            });
            let _ = std::io::copy(&mut client, &mut up);
            let _ = up.shutdown(Shutdown::Both);
        });
    })
}
