//! A drill of the erasure: the data of the kind `data.drill`.

use super::Presence;
use crate::model::{Fact, Trouble};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `data.drill`: a person who does not exist was brought in and erased by the product's own means, and looked for in one
/// store before and after. Counts alone: no key of the person, and no digest of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    /// The kinds of key by which the person was looked for.
    pub namespaces: Vec<String>,
    /// `command` where a command of the user's brought the person in, else `by hand`.
    pub inserted: String,
    /// `command` where a command of the user's erased the person, else `by hand`.
    pub erased: String,
    /// The seconds that each step could take.
    pub within_seconds: u64,
    /// Each data set of the store that knows persons by one of these kinds of key.
    pub sets: Vec<DrilledSet>,
    /// Data sets of the store that know persons by another kind of key alone, and were not looked through.
    pub left_out: Vec<String>,
}

/// One data set in a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DrilledSet {
    /// The data set's id.
    pub key: String,
    /// Rows of the person before the erasure.
    pub before: Fact<u64>,
    /// Rows of the person after it.
    pub after: Fact<u64>,
    /// Rows were there, and none is left. Unknown where none was there: such a set was not exercised.
    pub gone: Fact<bool>,
    /// In words.
    pub summary: String,
}

impl DrilledSet {
    /// What both looks show together. Where a step of the drill broke off, they show nothing of the erasure.
    pub fn new(before: &Presence, after: &Presence, broken: Option<&Trouble>) -> DrilledSet {
        let gone = match (broken, &before.rows, &after.rows) {
            (Some(trouble), _, _) => Fact::unknown(trouble.to_string()),
            (None, _, Fact::Known(1..)) => Fact::Known(false),
            (None, Fact::Known(0), Fact::Known(0)) => Fact::unknown("not exercised: the person was never seen in it"),
            (None, Fact::Known(_), Fact::Known(0)) => Fact::Known(true),
            (None, Fact::Unknown(why), _) => Fact::unknown(format!("not seen before the erasure: {}", why.unknown)),
            (None, _, Fact::Unknown(why)) => Fact::unknown(format!("not seen after the erasure: {}", why.unknown)),
        };
        let summary = match &gone {
            Fact::Known(_) => format!("{} before the erasure, {} after it", rows(before), rows(after)),
            Fact::Unknown(why) => why.unknown.clone(),
        };
        DrilledSet { key: before.key.clone(), before: before.rows.clone(), after: after.rows.clone(), gone, summary }
    }

    /// What of the person may be left in the set, in words; nothing where none is.
    pub fn left(&self) -> Option<String> {
        match (&self.before, &self.after) {
            (_, Fact::Known(0)) | (Fact::Known(0), Fact::Unknown(_)) => None,
            (_, Fact::Known(left)) => Some(format!("{} ({})", self.key, count(*left))),
            (Fact::Known(left), Fact::Unknown(_)) => Some(format!("{} ({} when last seen)", self.key, count(*left))),
            (Fact::Unknown(_), Fact::Unknown(_)) => Some(format!("{} (not known)", self.key)),
        }
    }
}

fn rows(seen: &Presence) -> String {
    let least = if seen.capped { "at least " } else { "" };
    seen.rows.known().map_or("not known".to_owned(), |rows| format!("{least}{}", count(*rows)))
}

fn count(rows: u64) -> String {
    match rows {
        0 => "no row".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn seen(rows: Fact<u64>) -> Presence {
        Presence { key: "visitors".to_owned(), rows, capped: false }
    }

    #[test]
    fn only_rows_that_were_there_can_be_gone() {
        let dark = || Fact::unknown("locked");
        let set = |before, after| DrilledSet::new(&seen(before), &seen(after), None);
        let gone = |before, after| set(before, after).gone.known().copied();
        assert_eq!(gone(Fact::Known(2), Fact::Known(0)), Some(true));
        assert_eq!(gone(Fact::Known(2), Fact::Known(2)), Some(false));
        assert_eq!(gone(Fact::Known(0), Fact::Known(1)), Some(false), "an erasure that writes the person elsewhere");
        assert_eq!(gone(dark(), Fact::Known(1)), Some(false));
        for (before, after) in
            [(Fact::Known(0), Fact::Known(0)), (dark(), Fact::Known(0)), (Fact::Known(2), dark()), (dark(), dark())]
        {
            assert_eq!(gone(before, after), None);
        }
        let broken = Trouble::new(Reason::Interrupted, "stopped");
        let set = DrilledSet::new(&seen(Fact::Known(2)), &seen(Fact::Known(0)), Some(&broken));
        assert_eq!(set.gone.known(), None, "what a broken drill shows is no pass");
    }

    #[test]
    fn what_is_left_is_told() {
        let dark = || Fact::unknown("locked");
        let left = |before, after| DrilledSet::new(&seen(before), &seen(after), None).left();
        assert_eq!(left(Fact::Known(2), Fact::Known(0)), None);
        assert_eq!(left(Fact::Known(0), dark()), None);
        assert_eq!(left(Fact::Known(2), Fact::Known(1)).unwrap(), "visitors (1 row)");
        assert_eq!(left(Fact::Known(2), dark()).unwrap(), "visitors (2 rows when last seen)");
        assert_eq!(left(dark(), dark()).unwrap(), "visitors (not known)");
    }
}
