//! Answers in XML, flattened: the path of names down to each text, in their order.

use crate::model::{Reason, Trouble};
use quick_xml::Reader;
use quick_xml::events::Event;

/// How deep, and how many texts.
const DEPTH: usize = 16;
const TEXTS: usize = 40_000;

/// The texts of an answer, each under the names of the elements around it, as `A/B/C`. An element without text has an
/// empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(Vec<Leaf>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    path: String,
    /// The numbers of the elements around it, and its own.
    within: Vec<u32>,
    text: String,
}

impl Texts {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is no XML, or has more than is taken.
    pub fn read(bytes: &[u8]) -> Result<Texts, Trouble> {
        let strange = || Trouble::new(Reason::ProtocolViolation, "the answer is not the XML that it must be");
        let mut reader = Reader::from_reader(bytes);
        let (mut path, mut within): (Vec<String>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut texts, mut elements): (Vec<Leaf>, u32) = (Vec::new(), 0);
        // The element that was opened last, where nothing has come in it.
        let (mut fresh, mut roots) = (false, 0);
        let mut text = String::new();
        loop {
            match reader.read_event().map_err(|_| strange())? {
                Event::Start(start) => {
                    if path.is_empty() {
                        roots += 1;
                    }
                    if path.len() >= DEPTH || roots > 1 {
                        return Err(strange());
                    }
                    path.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                    elements = elements.saturating_add(1);
                    within.push(elements);
                    (fresh, text) = (true, String::new());
                }
                Event::Empty(start) => {
                    if path.is_empty() {
                        roots += 1;
                    }
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    let whole = path.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join("/");
                    elements = elements.saturating_add(1);
                    let within = within.iter().copied().chain([elements]).collect();
                    texts.push(Leaf { path: whole, within, text: String::new() });
                    fresh = false;
                }
                Event::Text(more) => text.push_str(&more.decode().map_err(|_| strange())?),
                Event::CData(more) => text.push_str(&more.decode().map_err(|_| strange())?),
                Event::GeneralRef(name) => {
                    let name = name.decode().map_err(|_| strange())?;
                    let letter = match name.strip_prefix('#') {
                        Some(number) => character(number).ok_or_else(strange)?.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&name).ok_or_else(strange)?.to_owned(),
                    };
                    text.push_str(&letter);
                }
                Event::End(_) => {
                    if fresh {
                        let text = std::mem::take(&mut text);
                        texts.push(Leaf { path: path.join("/"), within: within.clone(), text });
                    }
                    fresh = false;
                    within.pop();
                    if path.pop().is_none() {
                        return Err(strange());
                    }
                }
                Event::Eof => break,
                Event::DocType(_) => return Err(strange()),
                _ => {}
            }
            if texts.len() > TEXTS {
                return Err(Trouble::new(Reason::TooLarge, "the answer has more elements than are taken"));
            }
        }
        if !path.is_empty() || roots != 1 {
            return Err(strange());
        }
        Ok(Texts(texts))
    }

    /// The same, if it is the answer that was asked for: what another answer lacks says nothing.
    ///
    /// # Errors
    /// When its outermost element is none of these.
    pub fn rooted(self, roots: &[&str]) -> Result<Texts, Trouble> {
        if roots.iter().any(|root| self.has(root)) {
            return Ok(self);
        }
        Err(Trouble::new(Reason::ProtocolViolation, "the answer is another than the one that was asked for"))
    }

    /// The first text under this path.
    pub fn first(&self, path: &str) -> Option<&str> {
        self.all(path).next()
    }

    /// Whether there is an element of this path.
    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|leaf| below(&leaf.path, path).is_some())
    }

    /// Every text under this path.
    pub fn all(&self, path: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |leaf| leaf.path == path).map(|leaf| leaf.text.as_str())
    }

    /// What is in each element of this path, by itself.
    pub fn members(&self, path: &str) -> Vec<Texts> {
        let depth = path.split('/').count();
        let mut members: Vec<(u32, Texts)> = Vec::new();
        for leaf in &self.0 {
            let Some(rest) = below(&leaf.path, path) else { continue };
            let Some(id) = leaf.within.get(depth - 1) else { continue };
            if members.last().is_none_or(|(last, _)| last != id) {
                members.push((*id, Texts::default()));
            }
            let within = leaf.within.get(depth..).unwrap_or_default().to_vec();
            if let Some((_, member)) = members.last_mut() {
                member.0.push(Leaf { path: rest.to_owned(), within, text: leaf.text.clone() });
            }
        }
        members.into_iter().map(|(_, member)| member).collect()
    }
}

/// What of a path is below another; empty where they are the same.
fn below<'a>(path: &'a str, above: &str) -> Option<&'a str> {
    match path.strip_prefix(above)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

fn character(number: &str) -> Option<char> {
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    code.ok().and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_path() {
        let texts =
            Texts::read(b"<?xml version='1.0'?><A xmlns='x'><B><C>one &amp; &#65;</C><D/></B><B><C>two</C></B></A>")
                .unwrap();
        assert_eq!(texts.first("A/B/C"), Some("one & A"));
        assert_eq!(texts.all("A/B/C").collect::<Vec<_>>(), ["one & A", "two"]);
        assert!(texts.has("A/B/D") && texts.has("A/B") && !texts.has("A/E"));
        let members = texts.members("A/B");
        assert_eq!(members.len(), 2);
        assert_eq!((members[0].first("D"), members[1].first("C")), (Some(""), Some("two")));
        assert_eq!(texts.members("A").len(), 1);
        assert!(texts.clone().rooted(&["X", "A"]).is_ok() && texts.rooted(&["X"]).is_err());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bad in
            ["", "no", "<A>", "<A></B>", "<A/><B></B><C></C>", "<!DOCTYPE a [<!ENTITY b 'c'>]><A>&b;</A>", "<A>&b;</A>"]
        {
            assert!(Texts::read(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = "<a>".repeat(40);
        assert!(Texts::read(deep.as_bytes()).is_err());
        let many = format!("<A>{}</A>", "<B/>".repeat(TEXTS + 2));
        assert_eq!(Texts::read(many.as_bytes()).unwrap_err().reason, Reason::TooLarge);
    }
}
