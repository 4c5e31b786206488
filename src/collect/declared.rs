//! What a retention schedule declares about one store, as facts: holds, backups, and which tables it covers.

use super::census;
use crate::model::Fact;
use crate::model::retention::{
    BackupFacts, Copy, CopyKind, DataSet, HoldFacts, Measured, MechanismFacts, MechanismKind, Retention, Schedule,
    TableFacts,
};
use jiff::Timestamp;
use jiff::civil::Date;

/// The facts of a store whose sets were measured like this.
pub fn retention(
    schedule: &Schedule,
    store: &str,
    as_of: Timestamp,
    (data_sets, mut mechanisms): (Vec<Measured>, Vec<MechanismFacts>),
    skew_s: Fact<i64>,
    server_version: Fact<String>,
) -> Retention {
    let sets = schedule.sets_of(store);
    let today = schedule.time_zone.rules().to_datetime(as_of).date();
    for means in &mut mechanisms {
        let set = data_sets.iter().find(|set| set.id == means.key);
        means.contradicted = set.is_some_and(|set| set.violating.known().is_some_and(|rows| *rows > 0));
        if means.contradicted {
            means.seen.push_str("; yet rows past their time were counted, which weighs more");
        }
    }
    Retention {
        data_sets,
        mechanisms,
        holds: sets.iter().flat_map(|set| holds(set, today)).collect(),
        backups: sets.iter().flat_map(|set| backups(set)).collect(),
        skew_s,
        server_version,
        tz_version: tz_version(),
    }
}

/// The means of a set, as far as the schedule tells: it was not found for this reason, with what would show it.
pub fn mechanism(set: &DataSet, unseen: impl Into<String>) -> MechanismFacts {
    let manual = set.mechanism.kind == MechanismKind::Manual;
    let unseen = if manual { "a person does it by hand, which no system shows".to_owned() } else { unseen.into() };
    MechanismFacts {
        key: set.id.to_string(),
        declared: set.mechanism.kind.word().to_owned(),
        reference: set.mechanism.reference.clone().unwrap_or_default(),
        found: Fact::unknown(&unseen),
        enabled: Fact::unknown(&unseen),
        last_success: Fact::unknown(&unseen),
        effective: Fact::unknown(&unseen),
        contradicted: false,
        result: if manual { "review" } else { "" }.to_owned(),
        seen: unseen,
    }
}

/// The version of the time zone database, as the machine's own copy tells it.
fn tz_version() -> Fact<String> {
    use std::io::{BufRead as _, BufReader, Read as _};
    let folder = std::path::Path::new("/usr/share/zoneinfo");
    if !folder.is_dir() {
        return Fact::Known("the one built in".to_owned());
    }
    let mut line = String::new();
    let read = std::fs::File::open(folder.join("tzdata.zi"))
        .and_then(|file| BufReader::new(file.take(200)).read_line(&mut line));
    match (read, line.trim().strip_prefix("# version ")) {
        (Ok(_), Some(version)) => Fact::Known(version.to_owned()),
        _ => Fact::unknown("the machine's time zone database does not tell its version"),
    }
}

fn holds(set: &DataSet, today: Date) -> Vec<HoldFacts> {
    let fact = |hold: &crate::model::retention::Hold| HoldFacts {
        key: format!("{}/{}", set.id, hold.id),
        reason: hold.reason.clone(),
        authority: hold.authority.clone(),
        from: hold.from.to_string(),
        to: hold.to.map(|day| day.to_string()).unwrap_or_default(),
        review_on: hold.review_on.to_string(),
        in_force: hold.in_force(today),
        // A hold past its end has no effect, so there is nothing left to review.
        review_overdue: hold.in_force(today) && hold.review_on < today,
    };
    set.holds.iter().map(fact).collect()
}

fn backups(set: &DataSet) -> Vec<BackupFacts> {
    let fact = |(place, copy): (usize, &Copy)| {
        let earlier =
            set.copies.iter().take(place).filter(|other| other.kind == CopyKind::Backup && other.store == copy.store);
        let again = match earlier.count() {
            0 => String::new(),
            number => format!("#{}", number + 1),
        };
        BackupFacts {
            key: format!("{}/{}{again}", set.id, copy.store),
            declared: Fact::Known(copy.max_age.is_some()),
            max_age: copy.max_age.as_ref().map(ToString::to_string).unwrap_or_default(),
            longest_days: copy.max_age.as_ref().map_or(0, crate::model::retention::Period::longest_days),
            reason: copy.reason.clone().unwrap_or_default().trim().to_owned(),
            total_age: match &copy.max_age {
                Some(age) => format!("{} and {age} in the backup", set.max_age),
                None => String::new(),
            },
        }
    };
    let is_backup = |(_, copy): &(usize, &Copy)| copy.kind == CopyKind::Backup;
    let backups: Vec<BackupFacts> = set.copies.iter().enumerate().filter(is_backup).map(fact).collect();
    if !backups.is_empty() {
        return backups;
    }
    vec![BackupFacts {
        key: set.id.to_string(),
        declared: Fact::unknown("the data set declares no backup, and whether one is made was not seen"),
        max_age: String::new(),
        longest_days: 0,
        reason: String::new(),
        total_age: String::new(),
    }]
}

/// A table by its names: `schema` and `name` as the store has them, `default_schema` where none need be said.
pub fn table(
    schedule: &Schedule,
    store: &str,
    (schema, name): (&str, &str),
    default_schema: &str,
    columns: &[String],
) -> TableFacts {
    let means = |object: &crate::model::retention::Object| match census::table_name(object).as_deref() {
        Ok([only]) => only == name && schema == default_schema,
        Ok([first, second]) => first == schema && second == name,
        _ => false,
    };
    let personal_columns: Vec<String> = columns.iter().filter(|column| is_personal(column)).cloned().collect();
    let exempt = schedule.exempt.iter().find(|exemption| exemption.store == store && means(&exemption.object));
    TableFacts {
        name: if schema == default_schema { name.to_owned() } else { format!("{schema}.{name}") },
        personal: !personal_columns.is_empty(),
        personal_columns,
        scheduled: schedule.data_sets.iter().any(|set| set.store == store && means(&set.object)),
        exempt: exempt.map(|exemption| exemption.reason.clone()).unwrap_or_default(),
    }
}

/// Words that make a column's name look personal, wherever they stand between `_` or capitals.
const PERSONAL: &[&str] = &[
    "email",
    "mail",
    "phone",
    "mobile",
    "fax",
    "ip",
    "address",
    "street",
    "postcode",
    "zip",
    "city",
    "dob",
    "birthday",
    "birth",
    "birthdate",
    "ssn",
    "passport",
    "iban",
    "name",
    "firstname",
    "lastname",
    "surname",
    "fullname",
    "username",
    "nickname",
    "login",
    "token",
    "password",
    "gender",
    "sex",
    "religion",
    "ethnicity",
    "health",
    "diagnosis",
    "salary",
    "latitude",
    "longitude",
    "geo",
    "avatar",
    "photo",
    "useragent",
    "device",
    "cookie",
    "fingerprint",
];

/// Pairs of words that do so together.
const PERSONAL_PAIRS: &[(&str, &str)] =
    &[("user", "id"), ("visitor", "id"), ("customer", "id"), ("patient", "id"), ("employee", "id"), ("user", "agent")];

/// The words of a name, in lower case: `passwordHash` and `password_hash` are two each.
pub fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars().take(128) {
        let divides = !letter.is_alphanumeric();
        if divides || (was_lower && letter.is_uppercase()) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (divides, words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a column's name suggests personal data.
pub fn is_personal(column: &str) -> bool {
    let words = words(column);
    let plural = |word: &str, wanted: &str| word.strip_prefix(wanted).is_some_and(|end| matches!(end, "" | "s" | "es"));
    let single = words.iter().any(|word| PERSONAL.iter().any(|wanted| plural(word, wanted)));
    let joined = words.concat();
    let pairs = PERSONAL_PAIRS.iter().any(|(first, second)| {
        joined == format!("{first}{second}")
            || words.windows(2).any(|pair| matches!(pair, [one, two] if one == first && two == second))
    });
    single || pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_personal() {
        for name in [
            "email",
            "user_email",
            "EmailAddress",
            "phoneNumber",
            "ip",
            "client_ip",
            "user_id",
            "userId",
            "visitor_id",
            "first_name",
            "DOB",
            "shipping_addresses",
            "api_token",
            "userid",
        ] {
            assert!(is_personal(name), "{name}");
        }
        for name in
            ["id", "created_at", "amount", "zipper", "shipment", "description", "recipe", "status", "", "_", "ipsum"]
        {
            assert!(!is_personal(name), "{name}");
        }
    }
}
