//! OSCAL assessment results (NIST, version 1.1.2): what was seen as observations, failures as risks, controls as findings.
//!
//! Every identifier is a UUID of version 5 made from a digest or a name, so that the same run gives the same bytes. There is
//! no assessment plan and no catalogue file to point to: what was planned is the configuration, whose digest stands in the
//! back matter, and controls are named as tokens (`soc2-CC6.7`). No text of a framework is in it.

use super::index::Index;
use super::text::{clip, escape, harmless_json};
use super::{Context, RenderError, acceptance};
use crate::model::{
    Assessment, CheckResult, ControlResult, ControlStatus, Finding, FindingState, Method, Observation,
    ObservationStatus, Status, Verdict,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The version of OSCAL.
const VERSION: &str = "1.1.2";
/// Names of properties are our own.
const NAMESPACE: &str = "urn:probity:oscal";
/// The longest text of one field.
const MAX_TEXT: usize = 2000;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let ids = Ids(Uuid::new_v5(&Uuid::NAMESPACE_URL, NAMESPACE.as_bytes()), &assessment.run.id);
    let run = &assessment.run;
    let owner = run.organisation.as_deref().unwrap_or("the organisation");
    let mut resources = vec![json!({
        "uuid": ids.of("configuration", ""),
        "title": "Configuration of the run: what was in scope, and how it was judged",
        "props": [prop("config-digest", run.config_digest.as_str()), prop("catalogue-digest", &assessment.catalogue_digest)],
    })];
    resources.extend(assessment.observations.iter().map(|seen| {
        json!({
            "uuid": ids.of("record", &seen.id),
            "title": markup(&format!("Record of {} at {} {}", seen.kind, seen.target, seen.part)),
            "props": [prop("digest", &seen.id)],
        })
    }));
    let whole = json!({
        "assessment-results": {
            "uuid": ids.of("assessment-results", ""),
            "metadata": {
                "title": markup(&format!("Assessment of {owner}")),
                "last-modified": run.ended.to_string(),
                "version": line(&run.id),
                "oscal-version": VERSION,
                "props": [prop("tool", &format!("{} {}", run.tool.name, run.tool.version)), prop("gate", verdict.gate.word())],
            },
            "import-ap": { "href": format!("#{}", ids.of("configuration", "")) },
            "results": [result(assessment, verdict, context, &ids)],
            "back-matter": { "resources": resources },
        }
    });
    let mut text = harmless_json(&serde_json::to_string_pretty(&whole)?);
    text.push('\n');
    Ok(text.into_bytes())
}

/// Makes identifiers: of the run, and of what is in it.
struct Ids<'a>(Uuid, &'a str);

impl Ids<'_> {
    fn of(&self, kind: &str, name: &str) -> String {
        // Kinds hold no space, so that no two pairs read the same.
        Uuid::new_v5(&self.0, format!("{} {kind} {name}", self.1).as_bytes()).to_string()
    }
}

fn result(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>, ids: &Ids<'_>) -> Value {
    let run = &assessment.run;
    let index = Index::new(assessment);
    let components: Vec<Value> = assessment
        .targets
        .iter()
        .map(|target| {
            json!({
                "uuid": ids.of("target", &target.id),
                "type": target.kind.word(),
                "title": markup(&target.id),
                "description": markup(&format!("{} {}", target.kind.word(), target.address)),
                "status": { "state": "other", "remarks": "It was in scope." },
            })
        })
        .collect();
    let mut controls: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for one in &assessment.controls {
        controls.entry(&one.control.framework).or_default().push(json!({ "control-id": token(&one.control.id) }));
    }
    let selections: Vec<Value> = match controls.is_empty() {
        // The form wants a selection, and none was made.
        true => vec![json!({ "description": "No framework was asked for.", "include-all": {} })],
        false => controls
            .into_iter()
            .map(|(framework, include)| json!({ "description": markup(framework), "include-controls": include }))
            .collect(),
    };
    let blind: Vec<String> = assessment
        .blind_spots
        .iter()
        .map(|spot| format!("Not evaluated: {} {}: {}", spot.target, spot.part, spot.reason))
        .map(|text| markup(&text))
        .collect();
    let mut whole = json!({
        "uuid": ids.of("result", ""),
        "title": markup(&format!("Run {}", run.id)),
        "description": markup(&format!("{}: {} (exit {})", verdict.gate.word(), verdict.reason, verdict.exit)),
        "start": run.started.to_string(),
        "end": run.ended.to_string(),
        "reviewed-controls": { "control-selections": selections },
    });
    // A list in OSCAL has at least one entry.
    let lists = [
        ("observations", assessment.observations.iter().map(|seen| observation(seen, &index, ids)).collect::<Vec<_>>()),
        ("risks", assessment.findings.iter().map(|finding| risk(finding, assessment, &index, context, ids)).collect()),
        ("findings", assessment.controls.iter().filter_map(|one| of_control(one, assessment, ids)).collect()),
    ];
    if let Some(fields) = whole.as_object_mut() {
        fields.extend(
            lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), list.into())),
        );
        if !components.is_empty() {
            fields.insert("local-definitions".to_owned(), json!({ "components": components }));
        }
        if !blind.is_empty() {
            fields.insert("remarks".to_owned(), blind.join("\n").into());
        }
    }
    whole
}

/// What was seen, as a record: its facts stand in the evidence file that has the digest.
fn observation(seen: &Observation, index: &Index<'_>, ids: &Ids<'_>) -> Value {
    let status = match seen.status {
        ObservationStatus::Complete => "complete",
        ObservationStatus::Partial => "partial",
        ObservationStatus::Failed => "failed",
    };
    let state = seen.trouble.as_ref().map_or_else(|| status.to_owned(), |trouble| format!("{status}; {trouble}"));
    let method = match seen.method {
        Method::Test => "TEST",
        Method::Examine | Method::Derived => "EXAMINE",
    };
    let judged: Vec<&&CheckResult> =
        index.results(&seen.target).iter().filter(|result| result.observations.contains(&seen.id)).collect();
    let mut props = vec![prop("kind", &seen.kind), prop("collector", &seen.collector), prop("status", status)];
    props.extend(judged.iter().map(|result| {
        let item =
            [result.check.as_str(), &result.item].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>();
        prop("result", &format!("{}: {}", item.join(" "), result.status.word()))
    }));
    let mut whole = json!({
        "uuid": ids.of("observation", &seen.id),
        "title": markup(&format!("{} {}", seen.kind, seen.part)),
        "description": markup(&format!("{} at {} {}: {state}", seen.kind, seen.target, seen.part)),
        "props": props,
        "methods": [method],
        "subjects": [{ "subject-uuid": ids.of("target", &seen.target), "type": "component" }],
        "relevant-evidence": [{
            "href": format!("#{}", ids.of("record", &seen.id)),
            "description": "The record of this digest in the evidence file or store of the run.",
        }],
        "collected": seen.collected.to_string(),
    });
    if let (Some(expires), Some(fields)) = (seen.expires, whole.as_object_mut()) {
        fields.insert("expires".to_owned(), expires.to_string().into());
    }
    whole
}

fn risk(finding: &Finding, assessment: &Assessment, index: &Index<'_>, context: &Context<'_>, ids: &Ids<'_>) -> Value {
    let check = context.checks.get(&finding.check);
    let title = check.map_or(finding.check.as_str(), |check| &check.title);
    let place = [&finding.target, &finding.part, &finding.item].map(String::as_str).join(" ");
    let accepted = acceptance(finding, assessment).map(|by| format!("; accepted: {by}")).unwrap_or_default();
    let mut whole = json!({
        "uuid": ids.of("risk", &finding.fingerprint),
        "title": markup(&format!("Not so: {title}")),
        "description": markup(&format!("{place}: {}{accepted}", finding.reason)),
        "statement": markup(check.map_or("A waiver is past its last day, or covers nothing.", |check| &check.docs.why)),
        "props": [prop("check", &finding.check), prop("severity", finding.severity.word())],
        "status": if finding.state == FindingState::Waived { "deviation-approved" } else { "open" },
    });
    let related = index.result(finding).map(|result| related(&result.observations, ids)).unwrap_or_default();
    if let (false, Some(fields)) = (related.is_empty(), whole.as_object_mut()) {
        fields.insert("related-observations".to_owned(), related.into());
    }
    whole
}

/// A control that results bear on. OSCAL knows satisfied or not; what is not known is not satisfied, for another reason.
fn of_control(one: &ControlResult, assessment: &Assessment, ids: &Ids<'_>) -> Option<Value> {
    let (state, reason) = match one.status {
        ControlStatus::Satisfied => ("satisfied", "pass"),
        ControlStatus::NotSatisfied => ("not-satisfied", "fail"),
        ControlStatus::Indeterminate => ("not-satisfied", "other"),
        ControlStatus::NotAssessed => return None,
    };
    let bears = |result: &&CheckResult| one.checks.contains(&result.check) && result.status != Status::NotApplicable;
    let mut seen: Vec<String> =
        assessment.results.iter().filter(bears).flat_map(|result| result.observations.iter().cloned()).collect();
    seen.sort_unstable();
    seen.dedup();
    let count = &one.coverage;
    let words = format!(
        "{}: {} of {} results passed, {} failed, {} could not be judged",
        one.status.word(),
        count.passed,
        count.total,
        count.failed,
        count.open
    );
    let mut whole = json!({
        "uuid": ids.of("finding", &one.control.id),
        "title": markup(&one.control.title),
        "description": markup(&words),
        "target": {
            "type": "objective-id",
            "target-id": token(&one.control.id),
            "status": { "state": state, "reason": reason, "remarks": markup(&words) },
        },
    });
    if let Some(fields) = whole.as_object_mut() {
        let risks: Vec<Value> =
            one.findings.iter().map(|print| json!({ "risk-uuid": ids.of("risk", print) })).collect();
        if !risks.is_empty() {
            fields.insert("related-risks".to_owned(), risks.into());
        }
        let related = related(&seen, ids);
        if !related.is_empty() {
            fields.insert("related-observations".to_owned(), related.into());
        }
    }
    Some(whole)
}

fn related(observations: &[String], ids: &Ids<'_>) -> Vec<Value> {
    observations.iter().map(|id| json!({ "observation-uuid": ids.of("observation", id) })).collect()
}

fn prop(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": NAMESPACE, "value": line(value) })
}

/// A text of one line, which OSCAL wants without blanks at its ends and never empty.
fn line(text: &str) -> String {
    let text = escape(&clip(text, MAX_TEXT)).split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "none".to_owned() } else { text }
}

/// A text for a field that is read as Markdown: what a stranger wrote makes no element and no link.
fn markup(text: &str) -> String {
    let mut out = String::new();
    for letter in line(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '[' | ']' | '`' | '\\' => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    out
}

/// A control's id as a token: a letter, then letters, digits, dots, hyphens and underscores.
fn token(id: &str) -> String {
    let mut token = String::new();
    for letter in id.chars() {
        match letter {
            ':' => token.push('-'),
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') => token.push(c),
            _ if token.ends_with('.') => {}
            _ => token.push('.'),
        }
    }
    let token = token.trim_end_matches('.').to_owned();
    if token.starts_with(|letter: char| letter.is_ascii_alphabetic()) { token } else { format!("_{token}") }
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn the_id_of_a_control_becomes_a_token() {
        assert_eq!(token("soc2:CC6.7"), "soc2-CC6.7");
        assert_eq!(token("gdpr:32(1)(a)"), "gdpr-32.1.a");
        assert_eq!(token("nist80053:SC-28(1)"), "nist80053-SC-28.1");
        assert_eq!(token("32"), "_32");
    }
}
