//! The automatic means by which rows expire: jobs of pg_cron, policies of TimescaleDB.
//!
//! A command of a job is read to see which table it is about, and is never kept: it can hold anything.

use super::cron;
use super::retention::{Guard, Row, Scans};
use super::session::clean;
use crate::collect::census::table_name;
use crate::collect::command::expires;
use crate::collect::declared;
use crate::model::retention::expression::literal;
use crate::model::retention::{DataSet, MechanismFacts, MechanismKind, Period, Zone};
use crate::model::{Fact, Reason, Trouble};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Time for each of these statements.
const TIME: Duration = Duration::from_secs(5);
/// The most jobs that are read.
const JOBS: usize = 1000;
/// How many of the last runs are looked through, whatever job they are of.
const RUNS: usize = 100_000;
/// What shows jobs to a role that does not see them.
const GRANT: &str = "GRANT USAGE ON SCHEMA cron TO it, and a policy FOR SELECT TO it on cron.job and \
                     cron.job_run_details, since row security shows each role its own jobs alone, would show them";

/// What the server has that makes rows expire.
pub(super) struct Means {
    cron: Result<Cron, String>,
    timescale: bool,
}

/// The jobs of pg_cron for this database.
struct Cron {
    jobs: Vec<Job>,
    /// Jobs of other roles may be hidden, or there are more than are read.
    is_cut: bool,
    zone: Option<Zone>,
}

struct Job {
    id: u64,
    name: String,
    active: bool,
    schedule: String,
    command: String,
}

/// The runs of one job.
struct Runs {
    /// The end of the last one that succeeded.
    success: Option<Timestamp>,
    /// There is any on record.
    any: bool,
}

impl Means {
    /// Reads what is common to all data sets.
    pub(super) async fn read(guard: &Guard<'_>) -> Means {
        let sql = "SELECT extname FROM pg_extension WHERE extname IN ('pg_cron', 'timescaledb') ORDER BY 1";
        let extensions = match guard.rows(sql, TIME, Scans::Allowed).await {
            Ok(rows) => rows,
            Err(trouble) => {
                return Means { cron: Err(format!("the extensions were not read: {trouble}")), timescale: false };
            }
        };
        let has = |name: &str| extensions.iter().any(|row| text(row, 0) == name);
        let cron = if has("pg_cron") {
            Cron::read(guard).await.map_err(|trouble| match trouble.reason {
                Reason::PermissionDenied => format!("the audit role may not read the jobs of pg_cron; {GRANT}"),
                _ => format!("the jobs of pg_cron were not read: {trouble}"),
            })
        } else {
            Err("this database has no pg_cron, so that a job is outside it; the definition of the job in its scheduler, \
                 and the log of its last runs, would show it, as would pg_cron with a job of the declared name"
                .to_owned())
        };
        Means { cron, timescale: has("timescaledb") }
    }

    /// What there is for this set.
    pub(super) async fn of(&self, guard: &Guard<'_>, set: &DataSet, as_of: Timestamp) -> MechanismFacts {
        match set.mechanism.kind {
            MechanismKind::Manual => return declared::mechanism(set, ""),
            MechanismKind::Job | MechanismKind::PartitionDrop => {}
            other => return declared::mechanism(set, format!("PostgreSQL has no means of the kind {}", other.word())),
        }
        let names = table_name(&set.object).unwrap_or_default();
        let [schema, table] = names.as_slice() else {
            return declared::mechanism(set, "the object is not a table that is named with its schema");
        };
        let mut unseen = Vec::new();
        if self.timescale {
            match policy(guard, set, (schema, table), as_of).await {
                Ok(Some(facts)) => return facts,
                Ok(None) => unseen.push("TimescaleDB has no retention policy for the table".to_owned()),
                Err(trouble) => unseen.push(format!("the policies of TimescaleDB were not read: {trouble}")),
            }
        }
        match &self.cron {
            Ok(cron) => match cron.job_of(set, schema, table) {
                Some(job) => return cron.facts(guard, set, job, as_of).await,
                None => unseen.push(cron.absence(set)),
            },
            Err(why) => unseen.push(why.clone()),
        }
        if set.mechanism.kind == MechanismKind::PartitionDrop {
            unseen.push(partitions(guard, schema, table).await);
        }
        declared::mechanism(set, unseen.join("; "))
    }
}

impl Cron {
    async fn read(guard: &Guard<'_>) -> Result<Cron, Trouble> {
        // With row security on, hidden rows are no error here: whether some may be hidden is asked beside.
        let sql = format!(
            "SET LOCAL row_security = on; SELECT j.jobid, coalesce(j.jobname::text, ''), j.active, j.schedule, \
             left(j.command, 20000) FROM cron.job j WHERE j.database = current_database() ORDER BY j.jobid LIMIT {}",
            JOBS + 1
        );
        let rows = guard.rows(&sql, TIME, Scans::Allowed).await?;
        let about =
            "SELECT row_security_active('cron.job'::regclass), coalesce(current_setting('cron.timezone', true), '')";
        let about = guard.rows(about, TIME, Scans::Allowed).await?.into_iter().next().unwrap_or_default();
        let is_cut = rows.len() > JOBS || text(&about, 0) != "f";
        let zone = match text(&about, 1) {
            // Versions without the setting count in GMT.
            "" | "GMT" => Some(Zone::utc()),
            name => name.parse().ok(),
        };
        let job = |row: &Row| {
            Some(Job {
                id: text(row, 0).parse().ok()?,
                name: text(row, 1).to_owned(),
                active: text(row, 2) == "t",
                schedule: text(row, 3).to_owned(),
                command: text(row, 4).to_owned(),
            })
        };
        Ok(Cron { jobs: rows.iter().take(JOBS).filter_map(job).collect(), is_cut, zone })
    }

    /// The job of the declared name, else one that is on and whose command is about the table.
    fn job_of(&self, set: &DataSet, schema: &str, table: &str) -> Option<&Job> {
        let named = set.mechanism.reference.as_ref().and_then(|name| self.jobs.iter().find(|job| job.name == *name));
        let about =
            || self.jobs.iter().find(|job| job.active && expires(&job.command, set.action, (schema, table), "public"));
        named.or_else(about)
    }

    fn absence(&self, set: &DataSet) -> String {
        let named = set.mechanism.reference.as_ref().map(|name| format!(" of the name {}", clean(name)));
        let job = named.unwrap_or_else(|| " that is on and whose command deletes from the table".to_owned());
        let hidden =
            if self.is_cut { format!(" among those that the audit role sees; {GRANT}") } else { String::new() };
        format!("pg_cron has no job{job}{hidden}; a job outside the database would show in its own scheduler and log")
    }

    async fn facts(&self, guard: &Guard<'_>, set: &DataSet, job: &Job, as_of: Timestamp) -> MechanismFacts {
        let label = if job.name.is_empty() { format!("number {}", job.id) } else { clean(&job.name) };
        let label = format!("pg_cron has the job {label}, due by `{}`", clean(&job.schedule));
        let runs = runs(guard, job.id).await;
        let last_success = match &runs {
            Ok(Runs { success: Some(end), .. }) => Fact::Known(end.to_string()),
            Ok(_) => Fact::unknown("no run that succeeded is on record"),
            Err(why) => Fact::unknown(why),
        };
        let due = self.zone.as_ref().and_then(|zone| cron::last_but_one(&job.schedule, zone.rules(), as_of));
        let effective = match (&runs, due) {
            _ if !job.active => Fact::Known(false),
            (Err(why), _) => Fact::unknown(why),
            (Ok(runs), _) if !runs.any => {
                Fact::unknown(format!("no run of it is on record among the last {RUNS}; cron.log_run = on keeps them"))
            }
            (_, None) => Fact::unknown("its schedule or time zone does not tell when it was due"),
            (Ok(runs), Some(due)) => Fact::Known(runs.success.is_some_and(|end| end >= due)),
        };
        found(set, label, job.active, last_success, effective)
    }
}

/// The facts of a means that was found.
fn found(
    set: &DataSet,
    label: String,
    active: bool,
    last_success: Fact<String>,
    effective: Fact<bool>,
) -> MechanismFacts {
    let last = match &last_success {
        Fact::Known(end) => format!("last success {end}"),
        Fact::Unknown(why) => why.unknown.clone(),
    };
    let seen = format!("{label}; it is {}; {last}", if active { "on" } else { "off" });
    MechanismFacts {
        found: Fact::Known(true),
        enabled: Fact::Known(active),
        last_success,
        effective,
        seen,
        ..declared::mechanism(set, "")
    }
}

/// The runs of a job; none seen may also mean that row security hides them.
async fn runs(guard: &Guard<'_>, job: u64) -> Result<Runs, String> {
    let sql = format!(
        "SET LOCAL row_security = on; SELECT count(*), \
         floor(extract(epoch FROM max(end_time) FILTER (WHERE status = 'succeeded')))::bigint \
         FROM (SELECT jobid, status, end_time FROM cron.job_run_details ORDER BY runid DESC LIMIT {RUNS}) r \
         WHERE jobid = {job}"
    );
    let rows = guard.rows(&sql, TIME, Scans::Allowed).await.map_err(|trouble| match trouble.reason {
        Reason::PermissionDenied => {
            "the audit role may not read the runs; GRANT SELECT ON cron.job_run_details TO it would show them"
                .to_owned()
        }
        _ => format!("the runs were not read: {trouble}"),
    })?;
    let row = rows.first().ok_or("the runs were not told")?;
    let count: u64 = text(row, 0).parse().map_err(|_| "the number of runs is no number")?;
    let success = text(row, 1).parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    Ok(Runs { success, any: count > 0 })
}

/// The retention policy of a hypertable.
async fn policy(
    guard: &Guard<'_>,
    set: &DataSet,
    (schema, table): (&str, &str),
    as_of: Timestamp,
) -> Result<Option<MechanismFacts>, Trouble> {
    let sql = format!(
        "SET LOCAL IntervalStyle = 'iso_8601'; SELECT j.job_id, j.scheduled, \
         floor(extract(epoch FROM j.schedule_interval))::bigint, \
         floor(extract(epoch FROM s.last_successful_finish))::bigint, (j.config ->> 'drop_after')::interval::text \
         FROM timescaledb_information.jobs j LEFT JOIN timescaledb_information.job_stats s ON s.job_id = j.job_id \
         WHERE j.proc_name = 'policy_retention' AND j.hypertable_schema = {} AND j.hypertable_name = {} \
         ORDER BY j.job_id LIMIT 1",
        literal(schema),
        literal(table)
    );
    let rows = guard.rows(&sql, TIME, Scans::Allowed).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let active = text(row, 1) == "t";
    let success = text(row, 3).parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    let after = text(row, 4).parse::<Period>();
    let interval = text(row, 2).parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(2));
    let due = interval.and_then(|two| as_of.checked_sub(SignedDuration::from_secs(two)).ok());
    let effective = match (success, due, &after) {
        _ if !active => Fact::Known(false),
        (_, _, Ok(after)) if after.exceeds(&set.max_age) => Fact::Known(false),
        (_, _, Err(_)) => Fact::unknown("after what time the policy drops rows is not told as a period"),
        (None, ..) => Fact::unknown("no run of the policy that succeeded is on record"),
        (_, None, _) => Fact::unknown("the interval of the policy is not told"),
        (Some(end), Some(due), _) => Fact::Known(end >= due),
    };
    let after = after.map_or("a time that is not told".to_owned(), |after| after.to_string());
    let label = format!("TimescaleDB has the retention policy {}, which drops after {after}", clean(text(row, 0)));
    let last = success.map_or(Fact::unknown("no success is on record"), |end| Fact::Known(end.to_string()));
    Ok(Some(found(set, label, active, last, effective)))
}

/// What partitions show: a sign, and no proof.
async fn partitions(guard: &Guard<'_>, schema: &str, table: &str) -> String {
    let sql = format!(
        "SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {}",
        literal(schema),
        literal(table)
    );
    match guard.rows(&sql, TIME, Scans::Allowed).await {
        Ok(rows) if rows.first().is_some_and(|row| text(row, 0) == "p") => {
            "the table is partitioned, which is a sign, yet nothing shows that old partitions are dropped".to_owned()
        }
        Ok(rows) if rows.is_empty() => "there is no such table".to_owned(),
        Ok(_) => "the table has no partitions that could be dropped".to_owned(),
        Err(trouble) => format!("whether the table is partitioned was not read: {trouble}"),
    }
}

fn text(row: &Row, place: usize) -> &str {
    row.get(place).and_then(Option::as_deref).unwrap_or_default()
}
