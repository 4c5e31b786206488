//! What Amazon's services, and those that speak as they do, are asked with: signed questions that read, and their answers.

mod client;
mod xml;

pub use client::{Answer, Client};
pub use xml::Texts;
