//! The small words of a schedule, each valid as soon as it is read.

use jiff::tz::TimeZone;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Reads, writes and describes types in the form of a text, by `FromStr` and `Display`.
macro_rules! written {
    ($($name:ident),+) => { $(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <String as schemars::JsonSchema>::json_schema(generator)
            }

            fn inline_schema() -> bool {
                true
            }
        }
    )+ };
}
pub(super) use written;

/// A name that is unique in its list: lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = String;

    fn from_str(text: &str) -> Result<Slug, String> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let rest = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if first && rest && text.len() <= 64 {
            Ok(Slug(text.to_owned()))
        } else {
            Err("an id is 1 to 64 lower-case letters, digits, `-` and `_`, for example `visitor_profiles`".to_owned())
        }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time zone of the IANA database.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.zone
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::utc()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        let known = !text.is_empty() && text.len() <= 64;
        let zone = known.then(|| TimeZone::get(text).ok()).flatten();
        match zone {
            Some(zone) => Ok(Zone { name: text.to_owned(), zone }),
            None => Err("the time zone is not in the IANA database; an example is `Europe/Dublin`".to_owned()),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A short time on the clock: `500ms`, `5s`, `5m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delay(Duration);

impl Delay {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Delay {
        Delay(Duration::from_secs(seconds))
    }

    /// The time.
    pub fn time(self) -> Duration {
        self.0
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Delay, String> {
        let help =
            || "a time is a whole number and `ms`, `s`, `m` or `h`, for example `5s`, and at most a day".to_owned();
        let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(help)?;
        let (digits, unit) = text.split_at(end);
        let number: u64 = digits.parse().map_err(|_| help())?;
        let factor = match unit.trim_start() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            _ => return Err(help()),
        };
        let millis = number.checked_mul(factor).filter(|millis| *millis <= 24 * 60 * 60 * 1000).ok_or_else(help)?;
        Ok(Delay(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            millis if millis % 1000 != 0 => write!(f, "{millis}ms"),
            millis if millis % 60_000 != 0 || millis == 0 => write!(f, "{}s", millis / 1000),
            millis if millis % 3_600_000 != 0 => write!(f, "{}m", millis / 60_000),
            millis => write!(f, "{}h", millis / 3_600_000),
        }
    }
}

written!(Slug, Zone, Delay);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert!("visitor_profiles-2".parse::<Slug>().is_ok());
        for bad in ["", "A", "a b", "_a", "é"] {
            assert!(bad.parse::<Slug>().is_err(), "{bad}");
        }
        assert!("Europe/Dublin".parse::<Zone>().is_ok());
        for bad in ["", "Europe/Atlantis", "../etc/passwd"] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
        for (text, shown) in [("500ms", "500ms"), ("5s", "5s"), ("5 m", "5m"), ("60m", "1h"), ("0s", "0s")] {
            assert_eq!(text.parse::<Delay>().unwrap().to_string(), shown);
        }
        for bad in ["", "5", "s", "5d", "-5s", "1.5s", "25h", "99999999999999999999s"] {
            assert!(bad.parse::<Delay>().is_err(), "{bad}");
        }
    }
}
