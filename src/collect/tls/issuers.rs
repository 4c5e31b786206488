//! Issuers that a server should have sent and did not: those that its other chains bring, and, where third parties may
//! be asked, those at the addresses that certificates name for them (RFC 5280 section 4.2.2.1).

use super::certificate::{self, Anchors};
use super::fetch::Fetcher;
use super::ledger::Ledger;
use super::prober::Prober;
use std::collections::BTreeSet;

/// Most bytes of a certificate that is fetched.
const BYTES: usize = 64 * 1024;
/// Most certificates that are fetched for one address.
const MOST: usize = 6;
/// How many issuers may lack one above the other.
const LEVELS: usize = 3;

/// What is known beside each chain. Nothing of it is trusted.
pub async fn look(prober: &Prober<'_>, fetcher: Option<&Fetcher>, ledger: &Ledger, anchors: &Anchors) -> Vec<Vec<u8>> {
    let chains: Vec<&[Vec<u8>]> = ledger.chains.values().map(|chain| chain.certificates.as_slice()).collect();
    let mut known: Vec<Vec<u8>> = match chains.len() {
        0 | 1 => Vec::new(),
        _ => chains.iter().flat_map(|chain| chain.iter().skip(1).cloned()).collect(),
    };
    let Some(fetcher) = fetcher else { return known };
    let mut asked = BTreeSet::new();
    for _ in 0..LEVELS {
        let lacking = chains.iter().flat_map(|chain| certificate::absent_issuers(chain, &known, anchors));
        let addresses: Vec<String> = lacking.filter(|address| !asked.contains(address)).collect();
        for address in addresses {
            if asked.len() >= MOST || !asked.insert(address.clone()) {
                continue;
            }
            let fetched = prober.until_stopped(fetcher.list(&address, BYTES)).await;
            let received = match &fetched {
                Ok(bytes) if certificate::is_one(bytes) => format!("a certificate of {} bytes", bytes.len()),
                Ok(bytes) => format!("{} bytes that are no certificate in DER", bytes.len()),
                Err(trouble) => trouble.to_string(),
            };
            prober.record_words(format!("GET {address}"), received, "issuer that was not sent");
            known.extend(fetched.ok().filter(|bytes| certificate::is_one(bytes)).map(|bytes| bytes.to_vec()));
        }
    }
    known
}
