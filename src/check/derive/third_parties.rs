//! Derives what a page brings in from others: their hosts, held against the vendor register, and what is set or run
//! before anybody has agreed to it.

use super::vendors::derived;
use super::{Derivation, Inputs};
use crate::catalogue::registry::vendor;
use crate::model::http::{Consent, ConsentItem, Cookies, Page, ThirdParties, ThirdParty};
use crate::model::register::{Register, Vendor, VendorStatus};
use crate::model::{Fact, Observation, ObservationStatus, Reason, Trouble};
use std::collections::BTreeMap;

/// The derivation of `http.third_parties` and `http.consent`.
pub const THIRD_PARTIES: Derivation = Derivation { id: HOSTS, yields: &[HOSTS, CONSENT], derive };

const HOSTS: &str = "http.third_parties";
const CONSENT: &str = "http.consent";
/// The shortest name of a cookie that says whose it is.
const DISTINCT: usize = 5;

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let register = Declared::read(inputs.observations);
    let mut made = Vec::new();
    for page in inputs.observations.iter().filter(|seen| seen.kind == "http.page") {
        made.push(derived(HOSTS, page, &register.seen, || Ok(hosts(&form(page)?, &register.vendors))));
        let cookies = inputs
            .observations
            .iter()
            .find(|seen| seen.kind == "http.cookies" && seen.target == page.target && seen.part == page.part);
        let Some(cookies) = cookies else { continue };
        let observation = derived(CONSENT, cookies, &[page], || {
            if page.status == ObservationStatus::Failed {
                return Err(page
                    .trouble
                    .clone()
                    .unwrap_or_else(|| Trouble::new(Reason::Internal, "no reason was recorded")));
            }
            Ok(consent(&form(cookies)?, &form(page)?))
        });
        let cut = page.trouble.clone().filter(|_| page.status == ObservationStatus::Partial);
        made.push(match cut {
            Some(trouble) if observation.status == ObservationStatus::Complete => observation.partial(trouble),
            _ => observation,
        });
    }
    made
}

fn form<T: serde::de::DeserializeOwned>(seen: &Observation) -> Result<T, Trouble> {
    seen.read().map_err(|_| Trouble::new(Reason::Internal, format!("{} is not of its form", seen.kind)))
}

/// The vendors of the registers of a run.
struct Declared<'a> {
    seen: Vec<&'a Observation>,
    vendors: Fact<Vec<Vendor>>,
}

impl<'a> Declared<'a> {
    fn read(observations: &'a [Observation]) -> Declared<'a> {
        let seen: Vec<&Observation> = observations.iter().filter(|seen| seen.kind == "vendor.register").collect();
        let mut vendors = Vec::new();
        for register in &seen {
            match register.read::<Register>() {
                Ok(read) if register.status == ObservationStatus::Complete => vendors.extend(read.vendors),
                _ => return Declared { seen, vendors: Fact::unknown("the vendor register could not be read") },
            }
        }
        let vendors = if seen.is_empty() { Fact::unknown("no vendor register is given") } else { vendors.into() };
        Declared { seen, vendors }
    }
}

fn hosts(page: &Page, declared: &Fact<Vec<Vendor>>) -> ThirdParties {
    let mut hosts: BTreeMap<&str, ThirdParty> = BTreeMap::new();
    for resource in &page.foreign {
        let host = hosts.entry(&resource.host).or_insert_with(|| ThirdParty {
            host: resource.host.clone(),
            ..judged(&resource.host, &resource.source, declared)
        });
        if !host.elements.contains(&resource.element) {
            host.elements.push(resource.element.clone());
        }
    }
    ThirdParties { applicable: page.applicable, hosts: hosts.into_values().collect() }
}

/// Whose a host is, as far as it is recognised; and whether a vendor of the register stands for it.
fn judged(host: &str, source: &str, declared: &Fact<Vec<Vendor>>) -> ThirdParty {
    let known = vendor::of_script(without_scheme(source)).vendors;
    let names: Vec<&str> = known.iter().map(|vendor| vendor.name.as_str()).collect();
    let mut row = ThirdParty { recognised: names.join(" or "), ..ThirdParty::default() };
    let vendors = match declared {
        Fact::Unknown(why) => {
            row.declared = Fact::unknown(why.unknown.clone());
            return row;
        }
        Fact::Known(vendors) => vendors,
    };
    let by_host = |vendor: &&Vendor| vendor.domains.iter().any(|domain| below(host, domain));
    let by_id = |vendor: &&Vendor| known.iter().any(|known| known.id == vendor.id);
    let found: Vec<&Vendor> = vendors.iter().filter(|vendor| by_host(vendor) || by_id(vendor)).collect();
    let ended = |vendor: &Vendor| vendor.status == Some(VendorStatus::Terminated);
    row.declared = found.iter().any(|vendor| !ended(vendor)).into();
    row.vendor = found.first().map(|vendor| vendor.id.clone()).unwrap_or_default();
    row.ended = !found.is_empty() && found.iter().all(|vendor| ended(vendor));
    row
}

fn without_scheme(source: &str) -> &str {
    source.split_once("://").map_or(source, |(_, rest)| rest)
}

/// The host is this domain, or a name below it.
fn below(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches("*.").trim_end_matches('.').to_ascii_lowercase();
    !domain.is_empty() && (host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')))
}

/// What came with the first visit, when nobody has agreed to anything yet.
fn consent(cookies: &Cookies, page: &Page) -> Consent {
    let mut items: Vec<ConsentItem> = Vec::new();
    for cookie in &cookies.cookies {
        let known = vendor::of_cookie(&cookie.name);
        let tracker = known.vendors.iter().find(|vendor| vendor.is_tracker());
        let sure = known.verified && !known.vendors.is_empty();
        let harmless = match tracker {
            Some(_) if sure => false.into(),
            // A short name is anybody's.
            None if sure && cookie.name.len() >= DISTINCT => true.into(),
            _ => Fact::unknown(format!("the purpose of {} is not declared", cookie.name)),
        };
        let recognised = tracker.or(known.vendors.first()).map(|vendor| vendor.name.clone()).unwrap_or_default();
        let days = cookie.days;
        items.push(ConsentItem { what: "cookie".to_owned(), name: cookie.name.clone(), recognised, harmless, days });
    }
    let tracked = items.iter().any(|item| item.harmless == Fact::Known(false));
    for script in page.foreign.iter().filter(|resource| resource.element == "script" && !tracked) {
        let known = vendor::of_script(without_scheme(&script.source));
        let Some(vendor) = known.vendors.iter().find(|vendor| vendor.is_tracker() || vendor.is_tag_manager()) else {
            continue;
        };
        let why = format!("{} runs before anybody has agreed; what it sets needs a browser to be seen", script.host);
        let (name, recognised) = (script.host.clone(), vendor.name.clone());
        items.push(ConsentItem { what: "script".to_owned(), name, recognised, harmless: Fact::unknown(why), days: 0 });
    }
    items.sort_by(|a, b| (&a.what, &a.name).cmp(&(&b.what, &b.name)));
    items.dedup_by(|a, b| (&a.what, &a.name) == (&b.what, &b.name));
    Consent { applicable: cookies.applicable, items }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::http::{Cookie, Resource};

    fn page(sources: &[(&str, &str)]) -> Page {
        let resource = |(element, source): &(&str, &str)| Resource {
            element: (*element).to_owned(),
            host: without_scheme(source).split('/').next().unwrap().to_owned(),
            source: (*source).to_owned(),
        };
        Page { applicable: true, foreign: sources.iter().map(resource).collect(), ..Page::default() }
    }

    fn register(vendors: serde_json::Value) -> Fact<Vec<Vendor>> {
        serde_json::from_value::<Vec<Vendor>>(vendors).unwrap().into()
    }

    #[test]
    fn hosts_are_held_against_the_register() {
        let page = page(&[
            ("script", "https://js.stripe.com/v3/"),
            ("iframe", "https://js.stripe.com/pay"),
            ("img", "https://img.partner.example/a.png"),
            ("link", "https://fonts.gstatic.com/a.css"),
            ("script", "https://old.example.net/a.js"),
        ]);
        let declared = register(serde_json::json!([
            { "id": "stripe", "status": "active" },
            { "id": "partner", "status": "active", "domains": ["partner.example"] },
            { "id": "old", "status": "terminated", "domains": ["example.net"] },
        ]));
        let rows = hosts(&page, &declared).hosts;
        let of = |host: &str| {
            let row = rows.iter().find(|row| row.host == host).unwrap();
            (row.declared.known().copied(), row.vendor.as_str(), row.recognised.as_str(), row.ended)
        };
        assert_eq!(rows.len(), 4);
        assert_eq!(of("js.stripe.com"), (Some(true), "stripe", "Stripe", false));
        assert_eq!(of("img.partner.example"), (Some(true), "partner", "", false));
        assert_eq!(of("fonts.gstatic.com"), (Some(false), "", "Google Fonts", false));
        assert_eq!(of("old.example.net"), (Some(false), "old", "", true));
        assert_eq!(rows.iter().find(|row| row.host == "js.stripe.com").unwrap().elements, ["script", "iframe"]);
        let without = hosts(&page, &Fact::unknown("no vendor register is given")).hosts;
        assert!(without.iter().all(|row| row.declared.known().is_none()));
    }

    #[test]
    fn what_follows_people_before_they_agree_is_told() {
        let jar = |names: &[&str]| {
            let cookie = |name: &&str| Cookie { name: (*name).to_owned(), ..Cookie::default() };
            Cookies { applicable: true, cookies: names.iter().map(cookie).collect() }
        };
        let of = |names: &[&str], sources: &[(&str, &str)]| {
            let items = consent(&jar(names), &page(sources)).items;
            items.into_iter().map(|item| (item.what, item.name, item.harmless.known().copied())).collect::<Vec<_>>()
        };
        let item = |what: &str, name: &str, harmless| (what.to_owned(), name.to_owned(), harmless);
        assert_eq!(of(&["_ga", "sid"], &[]), [item("cookie", "_ga", Some(false)), item("cookie", "sid", None)]);
        assert_eq!(of(&["__cf_bm"], &[]), [item("cookie", "__cf_bm", Some(true))]);
        let manager = ("script", "https://www.googletagmanager.com/gtm.js");
        assert_eq!(of(&[], &[manager, manager]), [item("script", "www.googletagmanager.com", None)]);
        // Where a cookie shows it, scripts add nothing.
        assert_eq!(of(&["_ga"], &[manager]).len(), 1);
        assert!(
            of(&[], &[("script", "https://js.stripe.com/v3/"), ("img", "https://www.google-analytics.com/a.gif")])
                .is_empty()
        );
    }

    #[test]
    fn domains_end_at_a_label() {
        assert!(below("a.partner.example", "partner.example") && below("partner.example", "*.partner.example"));
        assert!(!below("notpartner.example", "partner.example") && !below("a.example", ""));
    }
}
