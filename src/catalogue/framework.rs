//! The form of a control framework.

use super::Problem;
use crate::model::Framework;
use crate::yaml::{Document, nearest};

/// What is wrong with the form of a framework. Whether the checks it names exist is asked of the whole catalogue.
pub(super) fn problems(framework: &Framework, document: &Document, name: &str) -> Vec<Problem> {
    let root = document.root();
    let mut problems = Vec::new();
    let wanted = format!("controls/{}.yaml", framework.id);
    if wanted != name {
        problems.push(root.key("id").mistake(format!("a framework of this id is the file checks/{wanted}")));
    }
    for (word, text) in [("id", &framework.id), ("name", &framework.name), ("edition", &framework.edition)] {
        if text.trim().is_empty() {
            problems.push(root.key(word).mistake(format!("`{word}` is empty")));
        }
    }
    for (id, title) in &framework.controls {
        if title.trim().is_empty() {
            problems.push(root.key("controls").key(id).mistake(format!("the control `{id}` has no title")));
        }
    }
    for (check, supports) in &framework.checks {
        let spot = root.key("checks").key(check);
        if supports.is_empty() {
            problems.push(spot.mistake(format!("`{check}` supports no control")));
        }
        for (at, support) in supports.iter().enumerate() {
            let doubled = supports.iter().take(at).any(|other| other.control == support.control);
            let known = framework.controls.contains_key(&support.control);
            if doubled {
                problems.push(spot.item(at).mistake(format!("`{}` is named twice", support.control)));
            }
            if !known {
                let problem = spot.item(at).mistake(format!("there is no control `{}`", support.control));
                let near = nearest(&support.control, framework.controls.keys().map(String::as_str));
                problems.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem,
                });
            }
        }
    }
    problems
}
