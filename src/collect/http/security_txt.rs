//! security.txt (RFC 9116).

use crate::model::http::SecurityTxt;
use jiff::Timestamp;

/// Reads a file that was served with status 200.
pub fn read(url: &str, content_type: &str, body: &str, now: Timestamp) -> SecurityTxt {
    let mut facts = SecurityTxt { applicable: true, present: true, url: url.to_owned(), ..SecurityTxt::default() };
    let mut why = Vec::new();
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("text/plain") {
        why.push("it is not served as text/plain");
    }
    let mut expires: Vec<&str> = Vec::new();
    let mut languages = 0;
    for (name, value) in body.lines().filter_map(field) {
        match name.to_ascii_lowercase().as_str() {
            "contact" if is_contact(value) => facts.contacts += 1,
            "contact" => why.push("a contact is not a mailto, tel or https address"),
            "expires" => expires.push(value),
            "preferred-languages" => languages += 1,
            "acknowledgments" | "canonical" | "encryption" | "hiring" | "policy" if value.starts_with("http:") => {
                why.push("an address is not https");
            }
            _ => {}
        }
    }
    if facts.contacts == 0 {
        why.push("it has no contact");
    }
    if languages > 1 {
        why.push("Preferred-Languages occurs more than once");
    }
    let end = match expires.as_slice() {
        [] => {
            why.push("Expires is missing");
            None
        }
        [text] => {
            let end = text.parse::<Timestamp>().ok();
            if end.is_none() {
                why.push("Expires is not a date by RFC 3339");
            }
            end
        }
        _ => {
            why.push("Expires occurs more than once");
            None
        }
    };
    facts.expires = end.map_or_else(String::new, |end| end.to_string());
    why.dedup();
    facts.why = why.join("; ");
    let status = match end {
        _ if !why.is_empty() => "invalid",
        Some(end) if end <= now => "expired",
        _ => "valid",
    };
    status.clone_into(&mut facts.status);
    facts
}

/// There is no such file.
pub fn absent() -> SecurityTxt {
    SecurityTxt { applicable: true, status: "absent".to_owned(), ..SecurityTxt::default() }
}

fn field(line: &str) -> Option<(&str, &str)> {
    if line.starts_with('#') || line.starts_with("-----") {
        return None;
    }
    let (name, value) = line.split_once(':')?;
    Some((name.trim(), value.trim()))
}

fn is_contact(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["mailto:", "tel:", "https://"].iter().any(|scheme| lower.starts_with(scheme) && value.len() > scheme.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(body: &str) -> (String, String) {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let facts = read("https://a.example/.well-known/security.txt", "text/plain; charset=utf-8", body, now);
        (facts.status, facts.why)
    }

    #[test]
    fn the_vectors_of_the_specification() {
        assert_eq!(status("Contact: mailto:a@b.example").0, "invalid");
        assert_eq!(status("Contact: mailto:a@b.example\nExpires: 2020-01-01T00:00:00Z\n").0, "expired");
        let two = "Contact: mailto:a@b.example\nExpires: 2027-01-01T00:00:00Z\nExpires: 2027-01-02T00:00:00Z";
        assert_eq!(status(two), ("invalid".to_owned(), "Expires occurs more than once".to_owned()));
        assert_eq!(status("Contact: a@b.example\nExpires: 2027-01-01T00:00:00Z").0, "invalid");
        let good = "# ours\r\nCONTACT: https://a.example/report\r\nExpires: 2027-01-01T00:00:00.000Z\r\n";
        assert_eq!(status(good), ("valid".to_owned(), String::new()));
    }

    #[test]
    fn a_page_that_is_not_plain_text_is_invalid() {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let body = "Contact: mailto:a@b.example\nExpires: 2027-01-01T00:00:00Z";
        assert_eq!(read("u", "text/html", body, now).status, "invalid");
    }

    #[test]
    fn only_counts_and_dates_are_kept() {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        let facts = read("u", "text/plain", "Contact: mailto:jane@b.example\nExpires: 2027-01-01T00:00:00Z", now);
        assert!(!serde_json::to_string(&facts).unwrap().contains("jane"));
    }
}
