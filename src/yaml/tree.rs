//! Where everything in a text stands: the parser's events as a tree, within the limits of a reading.

use super::{MAX_ANCHORS, MAX_DEPTH, MAX_NODES};
use serde_yaml::granit_parser::{Event, Parser, Span, StrInput};
use std::ops::Range;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    /// Where it ends: a list or mapping in brackets after the bracket, another one where the next thing starts.
    pub(super) end: usize,
    /// True for a list or mapping in brackets.
    pub(super) bracketed: bool,
    /// The number of its anchor, or 0.
    anchor: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Scalar(String),
    List(Vec<Node>),
    Mapping(Vec<Pair>),
    /// An alias, which stands for the node with this anchor.
    Alias(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) place: Range<usize>,
    pub(super) value: Node,
}

impl Node {
    /// Every scalar below this node, with the keys that lead to it; an alias leads to what it stands for.
    pub(super) fn scalars<'a>(
        &'a self,
        root: &'a Node,
        path: &mut Vec<&'a str>,
        each: &mut impl FnMut(&[&str], &str, &Range<usize>),
    ) {
        match &self.content {
            Content::Scalar(text) => each(path, text, &self.span),
            Content::List(items) => items.iter().for_each(|item| item.scalars(root, path, each)),
            Content::Mapping(pairs) => {
                for pair in pairs {
                    path.push(&pair.key);
                    pair.value.scalars(root, path, each);
                    path.pop();
                }
            }
            // One step only, since aliases may multiply: an alias below an alias is seen where it is written.
            Content::Alias(anchor) => match root.anchored(*anchor) {
                Some(Node { content: Content::Scalar(text), span, .. }) => each(path, text, span),
                Some(Node { content: Content::List(items), .. }) => {
                    for item in items {
                        if let Content::Scalar(text) = &item.content {
                            each(path, text, &item.span);
                        }
                    }
                }
                _ => {}
            },
        }
    }

    pub(super) fn anchored(&self, anchor: usize) -> Option<&Node> {
        if self.anchor == anchor && anchor > 0 {
            return Some(self);
        }
        match &self.content {
            Content::Scalar(_) | Content::Alias(_) => None,
            Content::List(items) => items.iter().find_map(|item| item.anchored(anchor)),
            Content::Mapping(pairs) => pairs.iter().find_map(|pair| pair.value.anchored(anchor)),
        }
    }

    pub(super) fn mapping(&self, offset: usize) -> Option<Range<usize>> {
        match &self.content {
            Content::Scalar(_) | Content::Alias(_) => None,
            Content::List(items) => items.iter().find_map(|item| item.mapping(offset)),
            Content::Mapping(pairs) => pairs.iter().find_map(|pair| match &pair.value.content {
                // Nothing is written in this one, so only the key that leads to it can be shown.
                Content::Mapping(inner) if inner.is_empty() && pair.place.start == offset => Some(pair.place.clone()),
                _ if pair.place.start == offset => pairs.first().map(|first| first.place.clone()),
                _ => pair.value.mapping(offset),
            }),
        }
    }

    pub(super) fn token(&self, offset: usize) -> Option<Range<usize>> {
        let holds = |range: &Range<usize>| range.contains(&offset) || (range.start == offset && range.end > offset);
        match &self.content {
            Content::Scalar(_) | Content::Alias(_) => holds(&self.span).then(|| self.span.clone()),
            Content::List(items) => items.iter().find_map(|item| item.token(offset)),
            Content::Mapping(pairs) => pairs.iter().find_map(|pair| match holds(&pair.place) {
                true => Some(pair.place.clone()),
                false => pair.value.token(offset),
            }),
        }
    }
}

/// Builds the tree from the parser's events, within the limits of a reading.
pub(super) struct Builder<'t> {
    events: Parser<'t, StrInput<'t>>,
    nodes: usize,
    aliases: usize,
}

impl<'t> Builder<'t> {
    /// The tree, and whether it is whole.
    pub(super) fn tree(text: &'t str) -> (Option<Node>, bool) {
        let mut builder = Builder { events: Parser::new_from_str(text), nodes: 0, aliases: 0 };
        let mut root = None;
        loop {
            match builder.next() {
                Err(Stop) => return (root, false),
                Ok((Event::StreamEnd, _)) => return (root, true),
                Ok((event, span)) if root.is_none() && event.is_node() => {
                    let (node, whole) = builder.node(&event, &span, 0);
                    root = Some(node);
                    if !whole {
                        return (root, false);
                    }
                }
                // What follows the first document is refused by the reading.
                Ok((Event::DocumentStart(..), _)) if root.is_some() => return (root, false),
                Ok(_) => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        loop {
            match self.events.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(next)) => return Ok(next),
                Some(Err(_)) | None => return Err(Stop),
            }
        }
    }

    /// The node that this event starts, and whether it is whole.
    fn node(&mut self, event: &Event<'t>, span: &Span, depth: usize) -> (Node, bool) {
        let Range { start, end } = bytes(span);
        self.nodes += 1;
        let mut last = end..end;
        let (content, whole) = match event {
            Event::Scalar(text, ..) => (Content::Scalar(text.to_string()), true),
            Event::SequenceStart(..) if self.may_go(depth) => self.list(depth + 1, &mut last),
            Event::MappingStart(..) if self.may_go(depth) => self.mapping(depth + 1, &mut last),
            Event::Alias(anchor) => {
                self.aliases += 1;
                (Content::Alias(*anchor), self.aliases <= MAX_ANCHORS)
            }
            _ => (Content::List(Vec::new()), false),
        };
        let anchor = event.anchor_id().unwrap_or_default();
        (Node { span: start..end, end: last.end, bracketed: !last.is_empty(), anchor, content }, whole)
    }

    fn may_go(&self, depth: usize) -> bool {
        depth < MAX_DEPTH && self.nodes < MAX_NODES
    }

    fn list(&mut self, depth: usize, last: &mut Range<usize>) -> (Content, bool) {
        let mut items = Vec::new();
        loop {
            match self.next() {
                Ok((Event::SequenceEnd, span)) => {
                    *last = bytes(&span);
                    return (Content::List(items), true);
                }
                Ok((event, span)) => {
                    let (item, whole) = self.node(&event, &span, depth);
                    items.push(item);
                    if !whole || self.nodes >= MAX_NODES {
                        return (Content::List(items), false);
                    }
                }
                Err(Stop) => return (Content::List(items), false),
            }
        }
    }

    fn mapping(&mut self, depth: usize, last: &mut Range<usize>) -> (Content, bool) {
        let mut pairs = Vec::new();
        loop {
            let (key, whole) = match self.next() {
                Ok((Event::MappingEnd, span)) => {
                    *last = bytes(&span);
                    return (Content::Mapping(pairs), true);
                }
                Ok((event, span)) => self.node(&event, &span, depth),
                Err(Stop) => return (Content::Mapping(pairs), false),
            };
            let value = match self.next() {
                Ok((event, span)) if whole => self.node(&event, &span, depth),
                _ => return (Content::Mapping(pairs), false),
            };
            let name = match key.content {
                Content::Scalar(text) => text,
                _ => String::new(),
            };
            pairs.push(Pair { key: name, place: key.span, value: value.0 });
            if !value.1 || self.nodes >= MAX_NODES {
                return (Content::Mapping(pairs), false);
            }
        }
    }
}

fn bytes(span: &Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start)
}

/// The events ended early.
struct Stop;
