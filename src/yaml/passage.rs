//! Reading a document as if some mappings were no more than what stands under one key of theirs.
//!
//! What is passed through is blanked in the text that is read, so that every place stays and the types of what is
//! read need not know of it. Whether the blanked text says what is meant is then proven on its own tree.

use super::tree::{Builder, Content, Node};
use super::{Diagnostic, Document, Spot};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

impl Document {
    /// The same document, which reads each of these mappings as the value of this key in it. What is found at a place
    /// and what is shown of it stay as they are. A mapping that is reached by an alias must be given in its own place.
    ///
    /// # Errors
    /// When a mapping is written in a way that cannot be passed through.
    pub fn passing(&self, mappings: &[Spot<'_>], key: &str) -> Result<Document, Vec<Diagnostic>> {
        let Some(root) = &self.root else { return Ok(self.clone()) };
        let nodes = || mappings.iter().filter(|spot| !spot.aliased).filter_map(|spot| spot.node);
        let passed: BTreeSet<usize> = nodes().map(|node| node.span.start).collect();
        if passed.is_empty() {
            return Ok(self.clone());
        }
        let mut bytes = self.text.as_bytes().to_vec();
        for node in nodes() {
            blank(&mut bytes, &self.text, node, key);
        }
        let text: Arc<str> = Arc::from(String::from_utf8_lossy(&bytes));
        let (read, _) = Builder::tree(&text);
        let differs = match &read {
            Some(read) => difference(root, read, &passed, key),
            None => Some(root.span.clone()),
        };
        match differs {
            Some(place) => Err(vec![
                self.mistake(&place, "this cannot be read together with its source")
                    .help(format!("write it on one line, for example  {{ {key}: …, source: document }}")),
            ]),
            None => {
                let mut passing = self.clone();
                passing.passed = Some(text);
                Ok(passing)
            }
        }
    }
}

/// Blanks everything of a mapping but the value of this key.
fn blank(bytes: &mut [u8], text: &str, node: &Node, key: &str) {
    let Content::Mapping(pairs) = &node.content else { return };
    let Some(meant) = pairs.iter().find(|pair| pair.key == key) else { return };
    if node.bracketed {
        let bracket = text.get(node.span.start..).and_then(|rest| rest.find('{')).map(|at| node.span.start + at);
        spaces(bytes, bracket.unwrap_or(node.span.start)..meant.value.span.start);
        spaces(bytes, meant.value.end..node.end);
        return;
    }
    for (index, pair) in pairs.iter().enumerate() {
        let start = pair.place.start;
        if std::ptr::eq(pair, meant) {
            let after = text.get(pair.place.end..).and_then(|rest| rest.find(':'));
            spaces(bytes, start..after.map_or(pair.place.end, |at| pair.place.end + at + 1));
        } else {
            let end = pairs.get(index + 1).map_or(node.end, |next| next.place.start);
            spaces(bytes, start..end);
            // A comment ends the text in lines that may stand before it; mere spaces would belong to it.
            if let Some(first) = bytes.get_mut(start).filter(|_| start < end) {
                *first = b'#';
            }
        }
    }
}

fn spaces(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).unwrap_or_default() {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// The first place where what is read is not what is written with these mappings passed through.
fn difference(written: &Node, read: &Node, passed: &BTreeSet<usize>, key: &str) -> Option<Range<usize>> {
    let here = || Some(written.span.clone());
    match (&written.content, &read.content) {
        (Content::Mapping(pairs), _) if passed.contains(&written.span.start) => {
            match pairs.iter().find(|pair| pair.key == key) {
                Some(meant) => difference(&meant.value, read, passed, key),
                None => here(),
            }
        }
        (Content::Scalar(one), Content::Scalar(other)) if one == other => None,
        (Content::Alias(one), Content::Alias(other)) if one == other => None,
        (Content::List(one), Content::List(other)) if one.len() == other.len() => {
            one.iter().zip(other).find_map(|(one, other)| difference(one, other, passed, key))
        }
        (Content::Mapping(one), Content::Mapping(other)) if one.len() == other.len() => {
            one.iter().zip(other).find_map(|(one, other)| match one.key == other.key {
                true => difference(&one.value, &other.value, passed, key),
                false => Some(one.place.clone()),
            })
        }
        _ => here(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The document with the mapping below `a` passed through.
    fn read(text: &str) -> Result<Value, String> {
        let document = Document::new("x.yaml", text);
        let spots = [document.root().key("a")];
        let words = |found: Vec<Diagnostic>| found.first().map(ToString::to_string).unwrap_or_default();
        document.passing(&spots, "value").map_err(words)?.read().map_err(words)
    }

    #[test]
    fn every_way_of_writing_is_passed_through() {
        for (text, value) in [
            ("a: { value: x, source: d }\nb: 1\n", json!("x")),
            ("a: { source: d, \"value\": \"x, y\" }\nb: 1\n", json!("x, y")),
            ("a: {\n  value: 2.1, # why\n  evidence: [e, f] }\nb: 1\n", json!(2.1)),
            ("a:\n  value: x\n  source: d\nb: 1\n", json!("x")),
            ("a:\n  source: d\n  value: x\n  evidence:\n    - e\nb: 1\n", json!("x")),
            ("a:\n  value:\n    c: 1\n    d: [2]\n  source: é\nb: 1\n", json!({"c": 1, "d": [2]})),
            ("a:\n  value:\n  - c\n  - d\n  source: s\nb: 1\n", json!(["c", "d"])),
            ("a:\n  value: |\n    c\n    d\n  source: s\nb: 1\n", json!("c\nd\n")),
            ("a:\n  source: s\n  value: null\nb: 1\n", json!(null)),
        ] {
            assert_eq!(read(text), Ok(json!({"a": value, "b": 1})), "{text}");
        }
        assert_eq!(read("{\"a\": {\n\"value\": [1],\n\"source\": \"d\"\n},\n\"b\": 1}"), Ok(json!({"a": [1], "b": 1})));
    }

    #[test]
    fn what_cannot_be_passed_through_is_told_and_never_read_as_something_else() {
        let mistake = read("b: 1\na:\n  ? value\n  : x\n  ? source\n  : d\n").unwrap_err();
        assert!(mistake.starts_with("x.yaml:") && mistake.contains("write it on one line"), "{mistake}");
        let mistake = read("a: { value: x, source: &s d }\nb: &t 1\nc: *t\n").unwrap_err();
        assert!(mistake.contains("write it on one line"), "{mistake}");
    }

    #[test]
    fn places_and_texts_stay() {
        let document = Document::new("x.yaml", "b: 1\na:\n  source: d\n  value: [x]\n");
        let passing = document.passing(&[document.root().key("a")], "value").unwrap();
        let mistake = passing.read::<std::collections::BTreeMap<String, u8>>().unwrap_err().remove(0);
        assert_eq!((mistake.line, &*mistake.source), (4, "b: 1\na:\n  source: d\n  value: [x]\n"));
    }
}
