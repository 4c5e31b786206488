//! How each waiver stands on a day: in force, soon to end, ended, and whether it covers anything.

use super::{covers, in_force, may_cover};
use crate::model::{CheckResult, Status, Waiver};
use jiff::civil::Date;
use serde::Serialize;

/// How a waiver stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Standing<'a> {
    /// The waiver.
    #[serde(flatten)]
    pub waiver: Named<'a>,
    /// Days until it ends, the last one counted as 0; below that it has ended.
    pub days_left: i32,
    /// Failures of the run that it covers, where a run was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers: Option<usize>,
    /// What somebody should look at.
    pub problems: Vec<String>,
}

/// What names a waiver, and who answers for it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Named<'a> {
    /// Its id.
    pub id: &'a str,
    /// The check's id.
    pub check: &'a str,
    /// The target's id.
    pub target: &'a str,
    /// The item, where it is one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<&'a str>,
    /// Who answers for it.
    pub owner: &'a str,
    /// Who approved it.
    pub approved_by: &'a str,
    /// Its last day.
    pub expires: String,
}

/// How each stands on this day, in the order in which they are written. `soon` is the number of days before its end on which
/// a waiver is to be looked at; `targets` are the declared ones, `results` those of a run.
pub fn standing<'a>(
    waivers: &'a [Waiver],
    targets: &[&str],
    results: Option<&[CheckResult]>,
    today: Date,
    soon: i32,
) -> Vec<Standing<'a>> {
    let one = |waiver: &'a Waiver| {
        let days_left = days(today, waiver.expires);
        let mut problems = Vec::new();
        if days_left < 0 {
            problems.push(format!("it ended on {}, and covers nothing any more", waiver.expires));
        } else if waiver.created > today {
            problems.push(format!("it begins on {}, and covers nothing until then", waiver.created));
        } else if days_left <= soon {
            let left = if days_left == 1 { "1 day".to_owned() } else { format!("{days_left} days") };
            problems.push(format!("it ends in {left}: renew it with a new approval, or mend what it accepts"));
        }
        if !targets.contains(&waiver.target.as_str()) {
            problems.push(format!("`{}` is no declared target", waiver.target));
        }
        let failures = results.map(|results| {
            let fails = |result: &&CheckResult| result.status == Status::Fail && covers(waiver, result);
            results.iter().filter(fails).count()
        });
        // What was not judged may be the very failure that it is about.
        let hidden = results.is_some_and(|results| results.iter().any(|result| may_cover(waiver, result)));
        if failures == Some(0) && !hidden && in_force(waiver, today) {
            problems.push("it covers no failure of this run: take it out".to_owned());
        }
        let twin = waivers.iter().take_while(|other| other.id != waiver.id).find(|other| {
            (&other.check, &other.target) == (&waiver.check, &waiver.target)
                && (other.item.is_none() || other.item == waiver.item)
                && other.created <= waiver.created
                && waiver.expires <= other.expires
        });
        problems.extend(twin.map(|other| format!("{} covers all that it covers, and as long", other.id)));
        let named = Named {
            id: &waiver.id,
            check: &waiver.check,
            target: &waiver.target,
            item: waiver.item.as_deref(),
            owner: &waiver.owner,
            approved_by: &waiver.approved_by,
            expires: waiver.expires.to_string(),
        };
        Standing { waiver: named, days_left, covers: failures, problems }
    };
    waivers.iter().map(one).collect()
}

fn days(from: Date, until: Date) -> i32 {
    // Two dates are at most some millions of days apart.
    from.until(until).map(|span| span.get_days()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests as fixture;
    use super::*;

    fn waiver(id: &str, item: Option<&str>, created: &str, expires: &str) -> Waiver {
        Waiver { id: id.to_owned(), ..fixture::waiver(item, created, expires) }
    }

    fn result(item: &str, status: Status) -> CheckResult {
        fixture::result("tls.protocols.legacy", item, status)
    }

    /// The problems of the last of these waivers on 2026-12-01.
    fn problems(waivers: &[Waiver], results: Option<&[CheckResult]>) -> Vec<String> {
        let today = "2026-12-01".parse().unwrap();
        standing(waivers, &["shop"], results, today, 30).pop().unwrap().problems
    }

    #[test]
    fn days_are_counted_to_the_last_one() {
        let of = |created, expires| problems(&[waiver("W", None, created, expires)], None);
        assert_eq!(of("2026-06-01", "2027-05-31"), Vec::<String>::new());
        assert!(of("2026-06-01", "2026-12-31")[0].starts_with("it ends in 30 days"));
        assert!(of("2026-06-01", "2026-12-02")[0].starts_with("it ends in 1 day:"));
        assert!(of("2026-06-01", "2026-12-01")[0].starts_with("it ends in 0 days"));
        assert!(of("2026-06-01", "2026-11-30")[0].contains("ended on 2026-11-30"));
        assert!(of("2026-12-02", "2027-05-31")[0].contains("begins on 2026-12-02"));
    }

    #[test]
    fn a_waiver_that_covers_nothing_is_told_unless_something_was_not_judged() {
        let one = [waiver("W", Some("TLSv1.0"), "2026-06-01", "2027-05-31")];
        assert!(problems(&one, Some(&[result("TLSv1.0", Status::Fail)])).is_empty());
        assert!(problems(&one, Some(&[result("TLSv1.0", Status::Pass)]))[0].contains("covers no failure"));
        assert!(problems(&one, Some(&[result("", Status::NotEvaluated)])).is_empty());
        assert!(problems(&one, Some(&[]))[0].contains("covers no failure"));
        assert!(problems(&one, None).is_empty(), "without a run nothing is known");
    }

    #[test]
    fn what_another_covers_as_long_is_told() {
        let wide = waiver("A", None, "2026-06-01", "2027-05-31");
        let narrow = waiver("B", Some("TLSv1.0"), "2026-07-01", "2027-03-31");
        assert_eq!(problems(&[wide.clone(), narrow.clone()], None), ["A covers all that it covers, and as long"]);
        assert!(problems(&[narrow, wide], None).is_empty(), "the wider one is needed");
    }
}
