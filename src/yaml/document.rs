//! A text and the places in it, so that a mistake found after reading still has its line and caret.

use super::selection::Walk;
use super::tree::{Builder, Content, Node, Pair};
use super::{Diagnostic, MAX_BYTES, Selection, options, words};
use serde::de::{DeserializeOwned, DeserializeSeed as _};
use std::ops::Range;
use std::sync::Arc;

/// A text that a person wrote, and where everything in it stands.
#[derive(Clone, Debug)]
pub struct Document {
    pub(super) file: String,
    pub(super) text: Arc<str>,
    /// The text that is read into types, where some mappings are passed through.
    pub(super) passed: Option<Arc<str>>,
    /// Where each line starts.
    lines: Vec<usize>,
    /// The text as it may be shown: what is hidden is replaced by dots.
    shown: Arc<str>,
    /// Byte ranges of `text` that are hidden, in order.
    hidden: Vec<Range<usize>>,
    pub(super) root: Option<Node>,
    /// False where the text is not YAML or goes over a limit: then the tree ends early.
    complete: bool,
}

impl Document {
    /// Finds the places in a text. A text that is not YAML is found out by [`Document::read`].
    pub fn new(file: impl Into<String>, text: &str) -> Document {
        let text: Arc<str> = Arc::from(text.strip_prefix('\u{feff}').unwrap_or(text));
        let (root, complete) = if text.len() > MAX_BYTES { (None, false) } else { Builder::tree(&text) };
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Document {
            file: file.into(),
            shown: text.clone(),
            text,
            passed: None,
            lines,
            hidden: Vec::new(),
            root,
            complete,
        }
    }

    /// The file as the user named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The place of the whole.
    pub fn root(&self) -> Spot<'_> {
        let span = self.root.as_ref().map_or(0..0, |node| node.span.clone());
        Spot { document: self, node: self.root.as_ref(), key: None, span, aliased: false }
    }

    /// Reads the whole.
    ///
    /// # Errors
    /// When the text is too large, is not YAML, goes over a limit, or does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        self.select(Selection::default())
    }

    /// Reads a part.
    ///
    /// # Errors
    /// When the text is too large, is not YAML, goes over a limit, or does not fit the type.
    pub fn select<T: DeserializeOwned>(&self, selection: Selection<'_>) -> Result<T, Vec<Diagnostic>> {
        if self.text.len() > MAX_BYTES {
            let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
            return Err(vec![
                Diagnostic::of_file(&self.file, message).help("split it, or leave out what is not needed"),
            ]);
        }
        if self.root.is_none() && self.complete {
            return Err(vec![Diagnostic::of_file(&self.file, "the file is empty")]);
        }
        let walk = Walk::<T>::new(selection);
        serde_yaml::with_deserializer_from_str_with_options(
            self.passed.as_ref().unwrap_or(&self.text),
            options(),
            |deserializer| walk.deserialize(deserializer),
        )
        .map_err(|error| vec![words::diagnose(self, &error)])
    }

    /// Hides values in every diagnostic from now on. The function gets the keys that lead to a scalar, and its text.
    ///
    /// In comments, and everywhere in a text that is not YAML, lines of the form `key: value` are looked at, with that
    /// key alone.
    pub fn hide(&mut self, is_secret: impl Fn(&[&str], &str) -> bool) {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            root.scalars(root, &mut Vec::new(), &mut |path, text, span| {
                if is_secret(path, text) {
                    found.push(span.clone());
                }
            });
        }
        found.extend(lines(&self.text, self.complete, &is_secret));
        found.append(&mut self.hidden);
        found.sort_by_key(|range| (range.start, range.end));
        for range in found {
            match self.hidden.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => self.hidden.push(range),
            }
        }
        let shown: String = self.text.char_indices().map(|(at, c)| if self.hides(at, c) { '•' } else { c }).collect();
        self.shown = Arc::from(shown);
    }

    fn hides(&self, at: usize, c: char) -> bool {
        let next = self.hidden.partition_point(|range| range.end <= at);
        c != '\n' && c != '\r' && self.hidden.get(next).is_some_and(|range| range.start <= at)
    }

    /// True where a part of these bytes is hidden.
    pub(super) fn covers_hidden(&self, span: &Range<usize>) -> bool {
        self.hidden.iter().any(|range| range.start < span.end && span.start < range.end)
    }

    /// The same place in the shown text, whose dots are three bytes long.
    fn shown_at(&self, offset: usize) -> usize {
        let before = self.text.char_indices().take_while(|(at, _)| *at < offset);
        before.map(|(at, c)| if self.hides(at, c) { '•'.len_utf8() } else { c.len_utf8() }).sum()
    }

    /// A mistake at these bytes of the text.
    pub(super) fn mistake(&self, span: &Range<usize>, message: impl Into<String>) -> Diagnostic {
        let line_end =
            self.text.get(span.start..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |n| span.start + n);
        let end = span.end.min(line_end).max(span.start);
        let span = match self.hidden.is_empty() {
            true => span.start..end,
            false => self.shown_at(span.start)..self.shown_at(end),
        };
        Diagnostic::at(&self.file, self.shown.clone(), span, message)
    }

    /// The text, for finding out why it cannot be read. It may hold secrets.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the mapping starts that has a key at this byte.
    pub(super) fn mapping(&self, offset: usize) -> Option<Range<usize>> {
        self.root.as_ref().and_then(|node| node.mapping(offset))
    }

    /// The whole key, scalar or alias that starts or holds this byte.
    pub(super) fn token(&self, offset: usize) -> Option<Range<usize>> {
        self.root.as_ref().and_then(|node| node.token(offset))
    }
}

/// The bytes of secret values in lines that look like `key: value`.
fn lines(text: &str, only_comments: bool, is_secret: impl Fn(&[&str], &str) -> bool) -> Vec<Range<usize>> {
    /// Nobody reads a longer line, so it need not be shown.
    const LONGEST: usize = 4096;
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut found = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        if only_comments && !line.trim_start().starts_with('#') {
            // Its values are in the tree.
        } else if line.len() > LONGEST {
            found.push(start..end);
        } else {
            let secret = line.match_indices(':').find(|(colon, _)| {
                let (before, after) = line.split_at(*colon);
                let key = before.trim_end_matches(['"', '\'', ' ']);
                let key = key.rsplit(|c| !word(c)).next().unwrap_or_default();
                is_secret(&[key], after.get(1..).unwrap_or_default().trim())
            });
            if let Some((colon, _)) = secret {
                found.push(start + colon + 1..end);
            }
        }
        start = end;
    }
    found
}

/// A place in a document. Asking for what is not there gives the nearest place above it.
#[derive(Clone)]
pub struct Spot<'a> {
    document: &'a Document,
    pub(super) node: Option<&'a Node>,
    key: Option<Range<usize>>,
    span: Range<usize>,
    /// True below an alias: then the alias is the place of everything.
    pub(super) aliased: bool,
}

impl<'a> Spot<'a> {
    /// The value of this key.
    #[must_use]
    pub fn key(&self, name: &str) -> Spot<'a> {
        match self.content() {
            Some(Content::Mapping(pairs)) => match pairs.iter().find(|pair| pair.key == name) {
                Some(pair) => self.pair(pair),
                None => self.nowhere(),
            },
            _ => self.nowhere(),
        }
    }

    /// The item of this index, from zero.
    #[must_use]
    pub fn item(&self, index: usize) -> Spot<'a> {
        self.items().into_iter().nth(index).unwrap_or_else(|| self.nowhere())
    }

    /// All items of a list.
    pub fn items(&self) -> Vec<Spot<'a>> {
        match self.content() {
            Some(Content::List(items)) => items.iter().map(|item| self.below(item, None, item.span.clone())).collect(),
            _ => Vec::new(),
        }
    }

    /// All keys of a mapping, with their values.
    pub fn pairs(&self) -> Vec<(&'a str, Spot<'a>)> {
        match self.content() {
            Some(Content::Mapping(pairs)) => pairs.iter().map(|pair| (pair.key.as_str(), self.pair(pair))).collect(),
            _ => Vec::new(),
        }
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&'a str> {
        match self.content() {
            Some(Content::Scalar(text)) => Some(text),
            _ => None,
        }
    }

    /// True where something is written here.
    pub fn exists(&self) -> bool {
        self.node.is_some()
    }

    /// True where a list is written here.
    pub fn is_list(&self) -> bool {
        matches!(self.content(), Some(Content::List(_)))
    }

    /// True where a mapping is written here.
    pub fn is_mapping(&self) -> bool {
        matches!(self.content(), Some(Content::Mapping(_)))
    }

    /// What is written here; an alias stands for what it names.
    fn content(&self) -> Option<&'a Content> {
        match &self.node?.content {
            Content::Alias(anchor) => {
                self.document.root.as_ref().and_then(|root| root.anchored(*anchor)).map(|node| &node.content)
            }
            content => Some(content),
        }
    }

    /// One-based line.
    pub fn line(&self) -> u32 {
        let line = self.document.lines.partition_point(|start| *start <= self.span.start);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// A mistake here.
    pub fn mistake(&self, message: impl Into<String>) -> Diagnostic {
        self.document.mistake(&self.span, message)
    }

    /// A mistake in the key that leads here, rather than in its value.
    pub fn mistake_in_key(&self, message: impl Into<String>) -> Diagnostic {
        self.document.mistake(self.key.as_ref().unwrap_or(&self.span), message)
    }

    fn pair(&self, pair: &'a Pair) -> Spot<'a> {
        let span = match pair.value.content {
            Content::Scalar(_) if pair.value.span.is_empty() => pair.place.clone(),
            Content::Scalar(_) | Content::Alias(_) => pair.value.span.clone(),
            // A caret under a whole block says nothing: its key is meant.
            Content::List(_) | Content::Mapping(_) => pair.place.clone(),
        };
        self.below(&pair.value, Some(pair.place.clone()), span)
    }

    fn below(&self, node: &'a Node, key: Option<Range<usize>>, span: Range<usize>) -> Spot<'a> {
        let aliased = self.aliased || matches!(self.node.map(|node| &node.content), Some(Content::Alias(_)));
        let (key, span) = if aliased { (self.key.clone(), self.span.clone()) } else { (key, span) };
        Spot { document: self.document, node: Some(node), key, span, aliased }
    }

    fn nowhere(&self) -> Spot<'a> {
        Spot { node: None, ..self.clone() }
    }
}
