//! The one error of this room: the parameter, its whole text without passwords, and what was expected.

use std::fmt;
use std::path::Path;

use super::attrs;

/// A parameter that stops the start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}{parameter} \"{text}\": {problem}")]
pub struct ConfigError {
    /// The line of a file that it stands in; empty for a parameter.
    place: String,
    parameter: &'static str,
    text: Shown,
    problem: String,
}

impl ConfigError {
    pub(super) fn new(parameter: &'static str, text: &str, problem: String) -> Self {
        let text = match parameter {
            "server" => masked(text, &attrs::SERVER),
            "source" => match text.split_once("=>") {
                Some((table, rest)) => format!("{table}=>{}", masked(rest, &attrs::SOURCE)),
                None => masked(text, &attrs::SOURCE),
            },
            "outbox" => masked(text, &attrs::OUTBOX),
            _ => text.to_owned(),
        };
        Self { place: String::new(), parameter, text: Shown(text), problem }
    }

    /// The same, found in that line of a file.
    pub(super) fn at(self, file: &Path, line: usize) -> Self {
        Self { place: format!("{} line {line}: ", file.display()), ..self }
    }

    /// The module parameter it is about.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        self.parameter
    }
}

/// Text for one line of a log: control characters are spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            if char.is_control() { write!(f, "{}", char.escape_default()) } else { write!(f, "{char}") }
        })
    }
}

/// The text with `***` for what is, or may be a piece of, a password.
fn masked(text: &str, rules: &attrs::Rules) -> String {
    let shown = attrs::parts(text, rules).filter_map(|part| match part.secret {
        false => Some(part.shown.to_owned()),
        true if part.shown.is_empty() => None,
        true => Some(format!("{}=***", part.shown)),
    });
    shown.collect::<Vec<_>>().join(";")
}
