//! `name=value;name=value;` taken apart: the last `;` and blanks around names and values do not matter.
//!
//! A password that holds a `;` falls into pieces here. None of them may show up in an error, so everything from a
//! name like `pass` or `url` up to the next known attribute counts as secret.

/// What may be said of a thing.
pub(super) struct Rules {
    pub known: &'static [&'static str],
    pub secret: Secret,
}

/// The attribute whose value must not be shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    /// `pass`
    Password,
    /// `url`: of a database, with a password in it.
    Url,
}

/// Attributes of a server.
pub(super) const SERVER: Rules = Rules {
    known: &[
        "name",
        "addr",
        "weight",
        "zone",
        "pair",
        "ring",
        "user",
        "pass",
        "tls",
        "tls_ca",
        "tls_name",
        "tls_verify",
        "tls_cert",
        "tls_key",
    ],
    secret: Secret::Password,
};

/// Attributes of a table.
pub(super) const TABLE: Rules = Rules {
    known: &["autoexpire", "copies", "holdoff", "near", "near_ttl", "negexpire", "stale", "tag"],
    secret: Secret::Password,
};

/// Attributes of a source.
pub(super) const SOURCE: Rules = Rules {
    known: &["url", "table", "key", "delim", "where", "column", "columns", "order", "reload", "reload_rate"],
    secret: Secret::Url,
};

/// Attributes of an outbox.
pub(super) const OUTBOX: Rules = Rules { known: &["url", "table", "poll"], secret: Secret::Url };

/// What stands between two `;`.
pub(super) struct Part<'a> {
    pub name: &'a str,
    pub value: Option<&'a str>,
    /// The text as far as it may be shown.
    pub shown: &'a str,
    /// Something after `shown` may be a password.
    pub secret: bool,
}

impl<'a> Part<'a> {
    fn of(text: &'a str, rules: &Rules, tail_of_secret: bool) -> Self {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.trim())),
            None => (text, None),
        };
        let name = name.trim();
        let known = value.is_some() && rules.known.contains(&name);
        let end = match rules.secret {
            _ if tail_of_secret && !known => Some(0),
            Secret::Password => password_at(text),
            Secret::Url => url_at(text, known),
        };
        Self { name, value, shown: &text[..end.unwrap_or(text.len())], secret: end.is_some() }
    }
}

/// Where a password may begin: behind `pass` in a name, also when its `;` or `=` was forgotten.
fn password_at(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let name_end = text.find('=').unwrap_or(text.len());
    lower.match_indices("pass").map(|(at, word)| at + word.len()).find(|end| {
        let rest = lower[*end..].trim_start_matches(|char: char| char.is_ascii_alphanumeric() || char == '_');
        *end <= name_end || rest.trim_start().starts_with('=')
    })
}

/// Where a URL may begin: behind `url` in a name, before `://`, and in what has no known name and an `@`.
fn url_at(text: &str, known: bool) -> Option<usize> {
    let name = &text[..text.find('=').unwrap_or(text.len())];
    let named = name.to_ascii_lowercase().find("url").map(|at| at + "url".len());
    let user = text.find('@').filter(|_| !known).map(|at| name.len().min(at));
    named.or_else(|| text.find("://")).or(user)
}

/// The parts of a text, those marked that may hold a password.
pub(super) fn parts<'a>(text: &'a str, rules: &Rules) -> impl Iterator<Item = Part<'a>> {
    let mut secret = false;
    text.split(';').map(move |text| {
        let part = Part::of(text, rules, secret);
        secret = part.secret;
        part
    })
}

/// The attributes of one parameter: each known, each at most once.
pub(super) struct Attrs<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attrs<'a> {
    pub fn read(text: &'a str, rules: &Rules) -> Result<Self, String> {
        let text = text.trim();
        let mut found: Vec<(&str, &str)> = Vec::new();
        for part in parts(text.strip_suffix(';').unwrap_or(text), rules).filter(|_| !text.is_empty()) {
            let value = rules.judge(&part)?;
            if found.iter().any(|(name, _)| *name == part.name) {
                return Err(format!("attribute \"{}\" is given twice", part.name));
            }
            found.push((part.name, value));
        }
        Ok(Self(found))
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| *found == name).map(|(_, value)| *value)
    }

    /// The value of an attribute that must be given.
    pub fn need(&self, name: &str) -> Result<&'a str, String> {
        self.get(name).ok_or_else(|| format!("attribute \"{name}\" is missing"))
    }

    /// The first attribute given whose name starts so.
    pub fn starting(&self, prefix: &str) -> Option<&'a str> {
        self.0.iter().map(|(name, _)| *name).find(|name| name.starts_with(prefix))
    }

    /// A whole number within `range`, if the attribute is given.
    pub fn number(&self, name: &str, range: std::ops::RangeInclusive<u32>) -> Result<Option<u32>, String> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match whole(text).filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name}={text}: expected a number from {} to {}", range.start(), range.end())),
        }
    }

    /// `0` or `1`, if the attribute is given.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, String> {
        match self.get(name) {
            None => Ok(None),
            Some("0") => Ok(Some(false)),
            Some("1") => Ok(Some(true)),
            Some(text) => Err(format!("{name}={text}: expected 0 or 1")),
        }
    }
}

impl Rules {
    /// The value of a part whose name may be used.
    fn judge<'a>(&self, part: &Part<'a>) -> Result<&'a str, String> {
        let (name, expected) = (part.name, self.known.join(", "));
        let holder = match self.secret {
            Secret::Password => "pass",
            Secret::Url => "url",
        };
        if part.secret && name != holder {
            return Err(format!("expected one of {expected}, with ';' between them and no ';' in a password"));
        }
        let Some(value) = part.value else {
            return Err(format!("\"{name}\" is no attribute=value, expected one of {expected}, with ';' between them"));
        };
        if !self.known.contains(&name) {
            return Err(format!("unknown attribute \"{name}\", expected one of {expected}"));
        }
        if value.is_empty() {
            return Err(format!("attribute \"{name}\" has no value"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("the value of \"{name}\" holds a control character"));
        }
        Ok(value)
    }
}

/// A whole number in digits only.
pub(super) fn whole(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
