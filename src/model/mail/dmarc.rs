//! The text of a DMARC record (RFC 7489 section 6.3).

/// A record that can be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `none`, `quarantine`, `reject`.
    pub policy: String,
    /// The same for names below.
    pub subdomain_policy: String,
    /// Percent of the mail that it applies to.
    pub percent: u32,
    /// The domains of the addresses that summaries go to.
    pub destinations: Vec<String>,
    /// Alignment of signatures is strict.
    pub strict_dkim: bool,
    /// Alignment of senders is strict.
    pub strict_spf: bool,
}

/// Whether a text is meant as a DMARC record.
pub fn is_record(text: &str) -> bool {
    let (name, value) = text.split(';').next().and_then(|first| first.split_once('=')).unwrap_or_default();
    name.trim() == "v" && value.trim() == "DMARC1"
}

/// Reads a record.
///
/// # Errors
/// In words, where a receiver would not follow it.
pub fn parse(text: &str) -> Result<Record, String> {
    if !is_record(text) {
        return Err("the record does not begin with v=DMARC1".to_owned());
    }
    let tags = super::tags(text);
    let find = |name: &str| tags.iter().find(|(seen, _)| seen == name).map(|(_, value)| *value);
    let policy = |name: &str| match find(name).map(str::to_ascii_lowercase) {
        Some(word) if ["none", "quarantine", "reject"].contains(&word.as_str()) => Ok(Some(word)),
        Some(_) => Err(format!("{name} is neither none, quarantine nor reject")),
        None => Ok(None),
    };
    let own = policy("p")?.ok_or("p is missing")?;
    let percent = match find("pct").map(str::parse::<u32>) {
        None => 100,
        Some(Ok(percent)) if percent <= 100 => percent,
        Some(_) => return Err("pct is no number from 0 to 100".to_owned()),
    };
    Ok(Record {
        subdomain_policy: policy("sp")?.unwrap_or_else(|| own.clone()),
        policy: own,
        percent,
        destinations: find("rua").map(destinations).unwrap_or_default(),
        strict_dkim: find("adkim").is_some_and(|word| word.eq_ignore_ascii_case("s")),
        strict_spf: find("aspf").is_some_and(|word| word.eq_ignore_ascii_case("s")),
    })
}

/// The domains of mail addresses; the addresses themselves may be a person's.
fn destinations(text: &str) -> Vec<String> {
    let addresses = text.split(',').take(20).filter_map(|uri| {
        let scheme = uri.trim().get(..7)?;
        scheme.eq_ignore_ascii_case("mailto:").then(|| uri.trim().get(7..)).flatten()
    });
    // A limit of size may follow behind an exclamation mark.
    let domains = addresses.filter_map(|address| address.split('!').next()?.rsplit_once('@').map(|(_, domain)| domain));
    domains.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let record =
            parse("v=DMARC1; p=Reject; sp=none; pct=50; rua=mailto:a@B.example!10m, mailto:c@d.example; adkim=s")
                .unwrap();
        assert_eq!((record.policy.as_str(), record.subdomain_policy.as_str(), record.percent), ("reject", "none", 50));
        assert_eq!(record.destinations, ["b.example", "d.example"]);
        assert!(record.strict_dkim && !record.strict_spf);
        let weak = parse("v=DMARC1; p=none").unwrap();
        assert_eq!((weak.policy.as_str(), weak.subdomain_policy.as_str(), weak.percent), ("none", "none", 100));
    }

    #[test]
    fn faults_are_told() {
        assert_eq!(parse("v=DMARC1").unwrap_err(), "p is missing");
        assert!(parse("v=DMARC1; p=block").is_err());
        assert!(parse("v=DMARC1; p=none; pct=101").is_err());
        assert!(parse("v=dmarc1; p=none").is_err() && parse("p=none; v=DMARC1").is_err());
    }
}
