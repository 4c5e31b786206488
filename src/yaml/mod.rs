//! Strict reading of what people write, with errors that name the file, the line and the next step.
//!
//! The only room that knows the YAML crate. It does not know what it reads: types come from the caller.

mod diagnostic;
mod document;
mod nearest;
mod passage;
mod selection;
mod tree;
mod words;

pub use diagnostic::Diagnostic;
pub use document::{Document, Spot};
pub use nearest::nearest;
pub use selection::Selection;

use serde::de::DeserializeOwned;

/// The largest file that is read. A register of 2,000 vendors with everything recorded takes 5 to 6 MiB.
pub const MAX_BYTES: usize = 16 << 20;
/// The deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 32;
/// The most scalars, lists and mappings in a file. A vendor with everything recorded takes about 260, and each takes about
/// 140 bytes of memory, so that the places in the largest file take 140 MB.
const MAX_NODES: usize = 1_000_000;
/// The most of them that aliases may repeat: who writes so much has not written it by hand.
const MAX_REPEATED: usize = 40_000;
/// The most anchors, and the most aliases, in a file.
const MAX_ANCHORS: usize = 100;

/// Reads one document of this type.
///
/// # Errors
/// When the text is too large, is not YAML, goes over a limit, or does not fit the type.
pub fn read<T: DeserializeOwned>(file_name: &str, text: &str) -> Result<T, Vec<Diagnostic>> {
    Document::new(file_name, text).read()
}

/// Reads arbitrary bytes as a document, with its values hidden and shown: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut document = Document::new("fuzz.yaml", &text);
    let _ = document.read::<serde_json::Value>();
    document.hide(|path, value| path.last().is_some_and(|key| key.contains("password")) || value.contains("secret"));
    let _ = document.read::<std::collections::BTreeMap<String, Vec<u8>>>();
    for (_, spot) in document.root().pairs() {
        let _ = (spot.line(), spot.mistake("a mistake"), spot.mistake_in_key("a mistake"));
    }
}

/// The limits and the strictness of every reading.
fn options() -> serde_yaml::Options {
    use serde_yaml::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_reader_input_bytes: Some(MAX_BYTES),
            max_depth: MAX_DEPTH,
            // Above the depth, so that the depth is what is told.
            flow_nesting_limit: 2 * MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_anchors: MAX_ANCHORS,
            max_aliases: MAX_ANCHORS,
            max_recorded_anchor_events: MAX_REPEATED,
            max_recorded_anchor_bytes: MAX_BYTES,
            max_total_scalar_bytes: MAX_BYTES,
            max_documents: 1,
            max_inclusion_depth: 0,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: MAX_REPEATED,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: MAX_ANCHORS,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    }
}
