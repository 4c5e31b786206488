//! Lists that come in pages.

use crate::collect::aws::{Client, Texts};
use crate::model::{Fact, Reason, Trouble};
use std::collections::BTreeSet;

/// The most pages of one list.
const PAGES: usize = 50;

/// A list: what was seen, and why it is not known to be whole where it is not.
pub struct List<T> {
    pub members: Vec<T>,
    pub cut: Option<Trouble>,
}

impl<T> List<T> {
    /// A list that ended before its end.
    pub fn cut(members: Vec<T>, why: Trouble) -> List<T> {
        List { members, cut: Some(why) }
    }

    /// A list of which there is more than is taken.
    pub fn endless(members: Vec<T>) -> List<T> {
        List::cut(members, Trouble::new(Reason::TooLarge, format!("there are more than {PAGES} pages")))
    }
}

/// A question that is answered by a list in XML.
pub struct Question<'a> {
    pub action: &'a str,
    pub version: &'a str,
    /// Further fields.
    pub fields: &'a [(&'a str, &'a str)],
    /// Where the members are in the answer.
    pub members: &'a str,
    /// The field that asks for the next page, and where the answer has its value.
    pub next: (&'a str, &'a str),
    /// The right that the account needs.
    pub right: &'a str,
}

/// Asks for every page.
pub async fn all(client: &Client<'_>, question: &Question<'_>) -> List<Texts> {
    let mut members = Vec::new();
    // A page that names itself, or an earlier one, as the next would never end.
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut next: Option<String> = None;
    for _ in 0..PAGES {
        let mut fields = vec![("Action", question.action), ("Version", question.version)];
        fields.extend_from_slice(question.fields);
        fields.extend(next.as_deref().map(|next| (question.next.0, next)));
        let page = match one(client, question, &fields).await {
            Ok(page) => page,
            Err(trouble) => return List::cut(members, trouble),
        };
        members.extend(page.members(question.members));
        match page.first(question.next.1).filter(|next| !next.is_empty()) {
            None => return List { members, cut: None },
            Some(more) if known.insert(more.to_owned()) => next = Some(more.to_owned()),
            Some(_) => return List::cut(members, strange()),
        }
    }
    List::endless(members)
}

async fn one(client: &Client<'_>, question: &Question<'_>, fields: &[(&str, &str)]) -> Result<Texts, Trouble> {
    let answer = client.form(fields).await?.good(question.right)?;
    Texts::read(&answer.body)?.rooted(&[&format!("{}Response", question.action)])
}

/// A switch in an answer.
pub fn switch(texts: &Texts, name: &str) -> Fact<bool> {
    match texts.first(name).map(str::to_ascii_lowercase).as_deref() {
        Some("true") => Fact::Known(true),
        Some("false") => Fact::Known(false),
        _ => Fact::unknown(format!("the answer does not tell {name}")),
    }
}

/// What is said where an answer is not of the form that it must be.
pub fn strange() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the answer lacks what it must have")
}
