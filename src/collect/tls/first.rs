//! The four first hellos: whether there is anything to look at.

use super::offer::Offer;
use super::probe::Outcome;
use super::prober::{Answer, Prober, clear};
use super::suites;
use crate::model::{Reason, Trouble};
use crate::wire::Version;
use std::time::Duration;

/// They are judged within this time.
const FIRST: Duration = Duration::from_secs(30);

/// The outcomes of the four first hellos, sent side by side.
pub struct First {
    /// TLS 1.3 and 1.2, with everything.
    pub baseline: Outcome,
    /// Minimal TLS 1.0.
    pub tls10_offer: Offer,
    /// The answer to it.
    pub tls10: Outcome,
    /// SSLv3.
    pub ssl3_offer: Offer,
    /// The answer to it.
    pub ssl3: Outcome,
    /// The answer to an SSLv2 hello.
    pub ssl2: Outcome,
}

impl First {
    /// Sends them and judges the answers.
    ///
    /// # Errors
    /// When the target cannot be reached, or nothing shows that it speaks TLS.
    pub async fn ask(prober: &Prober<'_>) -> Result<First, Trouble> {
        let tls10_offer = suites::first_offer(prober, Version::Tls10).minimal();
        let ssl3_offer = suites::first_offer(prober, Version::Ssl3);
        let baseline = Offer::baseline();
        let four = async {
            tokio::join!(
                prober.ask(&baseline, "first hello"),
                prober.ask(&tls10_offer, "first hello"),
                prober.ask(&ssl3_offer, "first hello"),
                prober.ask_ssl2("first hello")
            )
        };
        let Ok((baseline, tls10, ssl3, ssl2)) = tokio::time::timeout(FIRST, prober.beside_an_idle_one(four)).await
        else {
            return Err(Trouble::new(Reason::TimedOut, "the first hellos were not answered within 30 s"));
        };
        let first = First { baseline, tls10_offer, tls10, ssl3_offer, ssl3, ssl2 };
        match first.trouble() {
            Some(trouble) => Err(trouble),
            None => Ok(first),
        }
    }

    /// Why this target cannot be looked at, if so.
    fn trouble(&self) -> Option<Trouble> {
        if matches!(self.baseline, Outcome::NoTransport(_) | Outcome::NotTls(_)) {
            return Some(self.baseline.trouble());
        }
        let all = [&self.baseline, &self.tls10, &self.ssl3, &self.ssl2];
        if all.iter().any(|outcome| outcome.is_tls()) {
            return None;
        }
        let Trouble { reason, detail } = self.baseline.trouble();
        let same = all.iter().all(|outcome| std::mem::discriminant(*outcome) == std::mem::discriminant(&self.baseline));
        let detail = match same {
            true => format!("{detail}, to each of four first hellos"),
            false => format!("{detail}, and none of four first hellos was answered in TLS"),
        };
        Some(Trouble { reason, detail })
    }

    /// What the baseline's answer says, asked again where it is not clear.
    pub async fn settle_baseline(&self, prober: &Prober<'_>) -> Answer {
        let offer = Offer::baseline();
        match clear(&offer, &self.baseline) {
            Some(answer) => answer,
            None => prober.settle_from(&offer, self.baseline.clone(), "first hello").await,
        }
    }
}
