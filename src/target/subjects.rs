//! What concerns data subjects: their requests, erasures, and an export of one of them.

use super::file::{ErasureDeclaration, ExportDeclaration, File};
use super::part::{self, Part};
use super::{Loading, suggest};
use crate::model::erasure::{Erasure, Graph, Ledger};
use crate::model::portability::Portability;
use crate::model::requests::{Requests, names_person};
use crate::model::retention::Schedule;
use crate::model::{SecretRef, Target, TargetKind};
use crate::yaml::{Document, Selection, Spot};
use serde_json::Value;
use std::path::Path;

/// The id of the target that the requests are.
pub(super) const REQUESTS_ID: &str = "requests";
/// The id of the target that the ledger of erasures is.
pub(super) const ERASURE_ID: &str = "erasure";
/// The id of the target that the export is.
pub(super) const EXPORT_ID: &str = "export";

const NO_SCHEDULE: &str = "declare the data sets under `retention`: they say where persons are, and by which key";

impl Loading {
    pub(super) fn requests(&mut self, root: &Spot<'_>) -> Option<Part<Requests>> {
        let (document, file) = self.written(root, "requests")?;
        let whole = document.root();
        let as_list = file.is_none() && root.key("requests").is_list();
        let nested = file.is_none() && !as_list;
        let place = if nested { whole.key("requests") } else { whole };
        // Before the reading: whoever writes a name here is to hear why it has no place, and not that it is unknown.
        let before = self.mistakes.len();
        for item in place.key("requests").items().into_iter().chain(place.key("breaches").items()) {
            for (key, spot) in item.pairs().into_iter().filter(|(key, _)| names_person(key)) {
                let mistake = spot.mistake_in_key(format!("`{key}` would hold a person's data"));
                self.mistakes.push(
                    mistake
                        .label("not kept here")
                        .help("a request is known by the number of its ticket alone; leave names where the ticket is"),
                );
            }
        }
        if self.mistakes.len() > before {
            return None;
        }
        let selection = match (as_list, nested) {
            (true, _) => Selection { keys: Some(&["requests"]), ..Selection::default() },
            (_, true) => Selection { path: &["requests"], ..Selection::default() },
            _ => Selection::default(),
        };
        let part: Part<Requests> = self.read(document.clone(), file, selection)?;
        for misfit in part.value.misfits() {
            let item = place.key(misfit.list).item(misfit.index);
            let spot = if item.key(misfit.key).exists() { item.key(misfit.key) } else { item };
            self.mistakes.push(spot.mistake(misfit.message).help(misfit.help));
        }
        Some(part)
    }

    /// The erasures, with the ledger that they name.
    pub(super) fn erasure(
        &mut self,
        written: Option<&ErasureDeclaration>,
        spot: &Spot<'_>,
        schedule: Option<&Schedule>,
    ) -> Option<Erasure> {
        let written = written?;
        if schedule.is_none() {
            self.mistakes.push(spot.mistake_in_key("`erasure` needs data sets").help(NO_SCHEDULE));
        }
        let key = self.secret(&written.key, &spot.key("key"), "the key");
        let ledger = self.ledger(&written.ledger, &spot.key("ledger"), schedule);
        let named = written.root.iter().map(|root| (root, spot.key("root")));
        let independent = written.independent.iter().zip(spot.key("independent").items());
        let named = named.chain(independent.map(|(one, item)| (&one.data_set, item.key("data_set"))));
        for (set, place) in named {
            self.known_set(set.as_str(), &place, schedule);
        }
        for (one, item) in written.independent.iter().zip(spot.key("independent").items()) {
            if one.reason.trim().is_empty() {
                let mistake = item.key("reason").mistake("the reason is empty");
                self.mistakes.push(mistake.help("say why nobody's rows can be left there"));
            }
        }
        Some(Erasure {
            key: key?,
            ledger: ledger?,
            graph: Graph { root: written.root.clone(), independent: written.independent.clone() },
            suppression: written.suppression.clone(),
        })
    }

    fn ledger(&mut self, path: &str, spot: &Spot<'_>, schedule: Option<&Schedule>) -> Option<Ledger> {
        let path = self.folder.join(path);
        let text = match part::text(&path) {
            Ok(text) => text,
            Err(reason) => {
                self.mistakes.push(part::unreadable(spot, &path, &reason));
                return None;
            }
        };
        let mut document = Document::new(path.display().to_string(), &text);
        // Whoever errs may have written a person's key in the place of its digest.
        document.hide(|path, _| path.contains(&"subject"));
        let canonical: Value = self.take(document.read())?;
        self.covers(&path, canonical);
        let ledger: Ledger = self.take(document.read())?;
        let mut refs = std::collections::BTreeSet::new();
        for (entry, item) in ledger.entries.iter().zip(document.root().key("entries").items()) {
            if let Some((key, message, help)) = entry.misfit() {
                let place = if item.key(key).exists() { item.key(key) } else { item.clone() };
                self.mistakes.push(place.mistake(message).help(help));
            }
            if !refs.insert(&entry.reference) {
                let mistake = item.key("ref").mistake("the reference is used twice");
                self.mistakes.push(mistake.help("give each erasure a reference of its own"));
            }
            for (exception, place) in entry.exceptions.iter().zip(item.key("exceptions").items()) {
                self.known_set(exception.data_set.as_str(), &place.key("data_set"), schedule);
            }
        }
        Some(ledger)
    }

    /// The export, as it is declared.
    pub(super) fn portability(
        &mut self,
        written: Option<&ExportDeclaration>,
        spot: &Spot<'_>,
        schedule: Option<&Schedule>,
    ) -> Option<Portability> {
        let written = written?;
        if schedule.is_none() {
            self.mistakes.push(spot.mistake_in_key("`portability` needs data sets").help(NO_SCHEDULE));
        }
        let subject = self.secret(&written.subject, &spot.key("subject"), "the person's key");
        let content = spot.key("content");
        let map = written.content.map.iter().map(|one| &one.data_set).zip(content.key("map").items());
        let left_out = written.content.left_out.iter().map(|one| &one.data_set).zip(content.key("left_out").items());
        for (set, item) in map.chain(left_out) {
            self.known_set(set.as_str(), &item.key("data_set"), schedule);
        }
        Some(Portability {
            subject: subject?,
            namespace: written.namespace.clone(),
            export: self.folder.join(&written.export),
            content: written.content.clone(),
        })
    }

    fn known_set(&mut self, id: &str, spot: &Spot<'_>, schedule: Option<&Schedule>) {
        let Some(schedule) = schedule else { return };
        let ids: Vec<&str> = schedule.data_sets.iter().map(|set| set.id.as_str()).collect();
        if !ids.contains(&id) {
            let mistake = suggest(spot.mistake(format!("`{id}` is not the id of a data set")), id, &ids);
            self.mistakes.push(mistake.help("a data set is declared in the retention schedule"));
        }
    }

    /// A reference to a secret; in clear it is a mistake.
    fn secret(&mut self, text: &str, spot: &Spot<'_>, what: &str) -> Option<SecretRef> {
        let secret = SecretRef::parse(text).map(|secret| match secret {
            SecretRef::File(path) => SecretRef::File(self.folder.join(path).display().to_string()),
            other => other,
        });
        if secret.is_none() {
            let mistake = spot.mistake(format!("{what} is written in clear")).label("hidden here");
            self.mistakes
                .push(mistake.help("write where it is to be had: \"env:NAME\", \"file:PATH\" or \"exec:COMMAND\""));
        }
        secret
    }

    /// The targets that stand for what concerns data subjects.
    pub(super) fn subject_targets(&self, file: &File, root: &Spot<'_>, requests: Option<&Path>) -> Vec<Target> {
        let mut targets = Vec::new();
        if root.key("requests").exists() {
            targets.push(self.document_target((REQUESTS_ID, TargetKind::Requests), &root.key("requests"), requests));
        }
        if let Some(erasure) = &file.erasure {
            let path = self.folder.join(&erasure.ledger);
            targets.push(self.document_target((ERASURE_ID, TargetKind::Erasure), &root.key("erasure"), Some(&path)));
        }
        if let Some(export) = &file.portability {
            let path = self.folder.join(&export.export);
            targets.push(self.document_target((EXPORT_ID, TargetKind::Export), &root.key("portability"), Some(&path)));
        }
        targets
    }

    fn document_target(&self, (id, kind): (&str, TargetKind), spot: &Spot<'_>, file: Option<&Path>) -> Target {
        let named = file.map_or_else(|| self.document.file().to_owned(), |file| file.display().to_string());
        let mut target = Target::new(id, kind, named);
        target.declared = Some(self.place(spot));
        target.connection.path = file.map(Path::to_owned);
        target
    }
}
