//! A list of certificate transparency logs, in the third form in which Google publishes it.

use crate::model::{Reason, Trouble};
use data_encoding::BASE64;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest list that is read.
const BYTES: u64 = 16 * 1024 * 1024;
/// A list older than this says nothing about logs of today.
const FRESH_DAYS: i64 = 70;
const DAY: i64 = 86_400;

/// A list of logs.
pub struct LogList {
    /// When it was made.
    pub date: Timestamp,
    logs: BTreeMap<Vec<u8>, Log>,
}

/// A log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub name: String,
    pub operator: String,
    /// SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    pub state: State,
    /// Since when it is in this state, in seconds since 1970.
    since: i64,
    /// It speaks the static API alone, not that of RFC 6962.
    pub tiled: bool,
}

/// The states of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Pending,
    Qualified,
    Usable,
    #[serde(rename = "readonly")]
    ReadOnly,
    Retired,
    Rejected,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Qualified => "qualified",
            State::Usable => "usable",
            State::ReadOnly => "readonly",
            State::Retired => "retired",
            State::Rejected => "rejected",
        }
    }
}

impl Log {
    /// Whether a timestamp of this second counts now; `retired` allows those from before the log was retired.
    pub fn counts(&self, at: i64, retired: bool) -> bool {
        match self.state {
            State::Qualified | State::Usable | State::ReadOnly => true,
            State::Retired => retired && at < self.since,
            State::Pending | State::Rejected => false,
        }
    }
}

impl LogList {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is not a list of logs.
    pub fn read(file: &Path) -> Result<LogList, Trouble> {
        let wrong = |reason, why: &str| Trouble::new(reason, format!("{}: {why}", file.display()));
        let unreadable = |error: std::io::Error| wrong(Reason::Unreachable, &error.to_string());
        if std::fs::metadata(file).map_err(unreadable)?.len() > BYTES {
            return Err(wrong(Reason::TooLarge, "the list of logs is too large"));
        }
        let bytes = std::fs::read(file).map_err(unreadable)?;
        LogList::parse(&bytes).map_err(|why| wrong(Reason::ProtocolViolation, &why))
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<LogList, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let date = written.log_list_timestamp;
        let mut logs = BTreeMap::new();
        for operator in written.operators {
            let tiled = operator.tiled_logs.into_iter().map(|log| (log, true));
            for (log, tiled) in operator.logs.into_iter().map(|log| (log, false)).chain(tiled) {
                let id = BASE64.decode(log.log_id.as_bytes()).map_err(|_| "a log's id is not base64")?;
                let key = BASE64.decode(log.key.as_bytes()).map_err(|_| "a log's key is not base64")?;
                // A log without a state has not been accepted yet.
                let (state, since) = log
                    .state
                    .into_iter()
                    .next()
                    .map_or((State::Pending, 0), |(state, since)| (state.0, since.timestamp.as_second()));
                let name = log.description;
                let operator = operator.name.clone();
                logs.insert(id, Log { name, operator, key, state, since, tiled });
            }
        }
        if logs.is_empty() { Err("it holds no log".to_owned()) } else { Ok(LogList { date, logs }) }
    }

    /// Whether it says something about logs at this time.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.as_second().saturating_sub(self.date.as_second()) <= FRESH_DAYS * DAY
    }

    pub(super) fn log(&self, id: &[u8]) -> Option<&Log> {
        self.logs.get(id)
    }
}

#[derive(Deserialize)]
struct Written {
    log_list_timestamp: Timestamp,
    operators: Vec<WrittenOperator>,
}

#[derive(Deserialize)]
struct WrittenOperator {
    name: String,
    #[serde(default)]
    logs: Vec<WrittenLog>,
    #[serde(default)]
    tiled_logs: Vec<WrittenLog>,
}

#[derive(Deserialize)]
struct WrittenLog {
    #[serde(default)]
    description: String,
    log_id: String,
    key: String,
    #[serde(default)]
    state: BTreeMap<Word, Since>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(transparent)]
struct Word(State);

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Word) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Word) -> std::cmp::Ordering {
        self.0.word().cmp(other.0.word())
    }
}

#[derive(Deserialize)]
struct Since {
    timestamp: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "{}", r#"{"log_list_timestamp":"2026-11-01T00:00:00Z","operators":[]}"#] {
            assert!(LogList::parse(text.as_bytes()).is_err(), "{text}");
        }
        let log =
            r#"{"description":"a","log_id":"*","key":"","state":{"usable":{"timestamp":"2024-01-01T00:00:00Z"}}}"#;
        let text =
            format!(r#"{{"log_list_timestamp":"2026-11-01T00:00:00Z","operators":[{{"name":"o","logs":[{log}]}}]}}"#);
        assert!(LogList::parse(text.as_bytes()).is_err());
        let good = text.replace('*', "AAAA");
        let list = LogList::parse(good.as_bytes()).unwrap();
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        assert!(list.is_fresh(at("2026-12-01T00:00:00Z")));
        assert!(!list.is_fresh(at("2027-02-01T00:00:00Z")));
        assert_eq!(list.log(&[0, 0, 0]).unwrap().state, State::Usable);
    }

    #[test]
    fn a_retired_log_counts_for_what_it_saw_before() {
        let log = |state| Log {
            name: String::new(),
            operator: String::new(),
            key: Vec::new(),
            state,
            since: 100,
            tiled: false,
        };
        assert!(log(State::Usable).counts(500, false) && log(State::ReadOnly).counts(500, false));
        assert!(log(State::Retired).counts(99, true));
        assert!(!log(State::Retired).counts(101, true) && !log(State::Retired).counts(99, false));
        assert!(!log(State::Pending).counts(99, true) && !log(State::Rejected).counts(99, true));
    }
}
