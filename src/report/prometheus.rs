//! Metrics in Prometheus' text form, for the text file collector of its node exporter.
//!
//! The verdict is one series a gate, so that *inconclusive* is never a zero that reads as good. When the run was is a
//! metric, too: an alert on its age finds runs that are missed.

use super::RenderError;
use super::index::Index;
use super::summary::{Marks, Summary};
use super::text::{clip, escape};
use crate::model::{Assessment, ControlStatus, FindingState, Gate, Severity, Verdict};
use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

/// The longest value of a label.
const MAX_LABEL: usize = 200;

pub(super) fn render(assessment: &Assessment, verdict: &Verdict) -> Result<Vec<u8>, RenderError> {
    let (index, marks) = (Index::new(assessment), Marks::new(assessment));
    let mut out = Metrics(String::new());
    let run = &assessment.run;
    out.metric("run_info", "The run that these metrics are of.")?;
    let labels =
        [("run", run.id.as_str()), ("version", &run.tool.version), ("catalogue_digest", &assessment.catalogue_digest)];
    out.sample("run_info", &labels, 1)?;
    out.metric("run_ended_timestamp_seconds", "When looking ended.")?;
    out.sample("run_ended_timestamp_seconds", &[], run.ended.as_second())?;
    out.metric("run_duration_seconds", "How long looking took.")?;
    out.sample("run_duration_seconds", &[], run.ended.as_second() - run.started.as_second())?;
    out.metric("exit_code", "The exit code: 0 passed, 1 failed, 3 inconclusive, 4 waived, 130 interrupted.")?;
    out.sample("exit_code", &[], verdict.exit)?;
    out.metric("verdict", "1 for the gate's verdict, 0 for the others.")?;
    for gate in [Gate::Passed, Gate::Failed, Gate::Inconclusive, Gate::Waived, Gate::Interrupted] {
        out.sample("verdict", &[("gate", gate.word())], u8::from(gate == verdict.gate))?;
    }
    let summaries: Vec<_> =
        assessment.targets.iter().map(|target| (target, Summary::new(&index, target, &marks))).collect();
    out.metric("results", "Results by target and status.")?;
    for (target, seen) in &summaries {
        let counts = seen.counts;
        let all = [
            ("failed", counts.failed),
            ("not_evaluated", counts.open),
            ("waived", counts.waived),
            ("passed", counts.passed),
            ("not_applicable", counts.not_applicable),
        ];
        for (status, n) in all {
            out.sample("results", &[("target", &target.id), ("kind", target.kind.word()), ("status", status)], n)?;
        }
    }
    out.metric("findings", "Failures by severity and state.")?;
    let mut findings: BTreeMap<(Severity, bool), usize> = BTreeMap::new();
    for severity in [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical] {
        findings.extend([((severity, false), 0), ((severity, true), 0)]);
    }
    for finding in &assessment.findings {
        *findings.entry((finding.severity, finding.state == FindingState::Waived)).or_default() += 1;
    }
    for ((severity, waived), n) in findings {
        let state = if waived { "waived" } else { "open" };
        out.sample("findings", &[("severity", severity.word()), ("state", state)], n)?;
    }
    out.metric("blind_spots", "What was not evaluated, each cause once.")?;
    out.sample("blind_spots", &[], assessment.blind_spots.len())?;
    out.metric("controls", "Controls by framework and status.")?;
    let statuses = [
        ControlStatus::Satisfied,
        ControlStatus::NotSatisfied,
        ControlStatus::Indeterminate,
        ControlStatus::NotAssessed,
    ];
    let mut controls: BTreeMap<(&str, ControlStatus), usize> = BTreeMap::new();
    for row in &assessment.controls {
        for status in statuses {
            *controls.entry((&row.control.framework, status)).or_default() += usize::from(status == row.status);
        }
    }
    for ((framework, status), n) in controls {
        out.sample("controls", &[("framework", framework), ("status", status.word())], n)?;
    }
    out.metric("certificate_days_left", "Days until the first certificate of a target ends, when it was seen.")?;
    for (target, days) in summaries.iter().filter_map(|(target, seen)| Some((target, seen.days_left?))) {
        out.sample("certificate_days_left", &[("target", &target.id)], days)?;
    }
    Ok(out.0.into_bytes())
}

struct Metrics(String);

impl Metrics {
    fn metric(&mut self, name: &str, help: &str) -> std::fmt::Result {
        writeln!(self.0, "# HELP probity_{name} {help}\n# TYPE probity_{name} gauge")
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) -> std::fmt::Result {
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", label(text))).collect();
        if labels.is_empty() {
            return writeln!(self.0, "probity_{name} {value}");
        }
        writeln!(self.0, "probity_{name}{{{}}} {value}", labels.join(","))
    }
}

/// A value of a label, in which a backslash and a quote have a meaning.
fn label(text: &str) -> String {
    escape(&clip(text, MAX_LABEL)).replace('\\', "\\\\").replace('"', "\\\"")
}
