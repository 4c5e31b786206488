//! What a part of an expression may give, before any evidence is there: facts by their paths, and values built from them.

use super::path::{Path, Step};
use super::shape::Shape;
use std::collections::BTreeMap;

/// What a part of an expression may give.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// A fact, or a part of one.
    Fact {
        /// Where it stands.
        path: Path,
        /// Its form.
        shape: Shape,
    },
    /// A list built here.
    List(Vec<Seen>),
    /// A mapping built here.
    Object(BTreeMap<String, Vec<Seen>>),
    /// A value computed here.
    Value(Shape),
}

/// Alternatives: a conditional or a joined list may give several.
pub(super) type Alternatives = Vec<Seen>;

/// What the members of these may be.
pub(super) fn members(seen: &[Seen]) -> Alternatives {
    let mut members = Vec::new();
    for one in seen {
        match one {
            Seen::Fact { path, shape } => {
                members.extend(shape.member().map(|shape| Seen::Fact { path: path.then(Step::Member), shape }));
            }
            Seen::List(inner) => members.extend(inner.iter().cloned()),
            Seen::Value(shape) => members.extend(shape.member().map(Seen::Value)),
            Seen::Object(_) => {}
        }
    }
    members
}

/// Whether one of these is known to be a list.
pub(super) fn is_list(seen: &[Seen]) -> bool {
    seen.iter().any(|one| match one {
        Seen::List(_) => true,
        Seen::Fact { shape, .. } | Seen::Value(shape) => !matches!(shape, Shape::Free) && shape.member().is_some(),
        Seen::Object(_) => false,
    })
}

/// The form of these.
pub(super) fn shape_of(seen: &[Seen]) -> Shape {
    let shapes = seen.iter().map(|one| match one {
        Seen::Fact { shape, .. } | Seen::Value(shape) => shape.clone(),
        Seen::List(members) => Shape::List(Box::new(shape_of(members))),
        Seen::Object(fields) => {
            Shape::Object(fields.iter().map(|(name, field)| (name.clone(), shape_of(field))).collect())
        }
    });
    Shape::either(shapes.collect())
}
