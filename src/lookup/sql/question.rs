//! What is asked of a database for one key.

use crate::config::SourceSpec;
use crate::value::{self, Value};
use memchr::memmem;

/// Columns and the values they must equal.
pub type Conditions<'q> = Vec<(&'q str, Option<Value<'q>>)>;

/// What a key means to a source.
#[derive(Debug, PartialEq)]
pub enum Question<'q> {
    Ask(Conditions<'q>),
    /// No row can have this key.
    Nothing,
    /// The key has not as many parts as the source has columns, or cannot be part of a statement.
    Bad,
}

/// The question for `key`. Its parts are bound as values and never become text of a statement.
#[must_use]
pub fn of<'q>(spec: &'q SourceSpec, key: &'q [u8]) -> Question<'q> {
    if !sound(spec, key) {
        return Question::Bad;
    }
    let mut conditions = Conditions::with_capacity(spec.key.len() + spec.conditions.len());
    for (column, part) in spec.key.iter().zip(parts(key, spec)) {
        let value = match (column.integer, value::integer(part)) {
            (false, _) => Value::Bytes(part),
            (true, Some(number)) => Value::Int(number),
            (true, None) => return Question::Nothing,
        };
        conditions.push((column.name.as_str(), Some(value)));
    }
    conditions.extend(fixed(spec));
    Question::Ask(conditions)
}

/// A question that any database can answer, for a key that need not be there.
#[must_use]
pub fn any(spec: &SourceSpec) -> Conditions<'_> {
    let zero = |integer| if integer { Value::Int(0) } else { Value::Bytes(b"0") };
    let zeros = spec.key.iter().map(|column| (column.name.as_str(), Some(zero(column.integer))));
    zeros.chain(fixed(spec)).collect()
}

/// What must hold whatever the key is.
pub fn fixed(spec: &SourceSpec) -> impl Iterator<Item = (&str, Option<Value<'_>>)> {
    spec.conditions.iter().map(|(name, value)| (name.as_str(), Some(Value::Bytes(value.as_bytes()))))
}

/// The statement that counts the rows; none where a value would have to be quoted, which databases do in different ways.
#[must_use]
pub fn count(spec: &SourceSpec) -> Option<String> {
    let plain = |value: &str| value.chars().all(|char| char.is_alphanumeric() || " _-.:@/+".contains(char));
    if !spec.conditions.iter().all(|(_, value)| plain(value)) {
        return None;
    }
    let conditions: Vec<String> = spec.conditions.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
    let which = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    // As text: some drivers cut wide numbers.
    Some(format!("SELECT CAST(COUNT(*) AS CHAR(20)) FROM {}{which}", spec.table))
}

/// Has the key a part for each column? A text of SQL has no NUL.
#[must_use]
pub fn sound(spec: &SourceSpec, key: &[u8]) -> bool {
    !key.contains(&0) && ends(key, spec).count() == spec.key.len()
}

fn parts<'k>(key: &'k [u8], spec: &SourceSpec) -> impl Iterator<Item = &'k [u8]> {
    let mut from = 0;
    ends(key, spec).map(move |end| {
        let part = &key[from..end];
        from = end + spec.delim.len();
        part
    })
}

/// Where the parts end. A key for one column is one part.
fn ends(key: &[u8], spec: &SourceSpec) -> impl Iterator<Item = usize> {
    let inner = if spec.key.len() == 1 { &[] } else { key };
    memmem::find_iter(inner, spec.delim.as_bytes()).chain([key.len()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn spec(key: &str) -> SourceSpec {
        let mut config = Config::default();
        let text = format!("t=>url=mysql://db/kam;table=grp;key={key};where=grp:ipauth;column=grp");
        config.add_source(&text).expect("a source");
        config.sources.remove(0)
    }

    fn asked(key: &str, of_key: &[u8]) -> Option<Vec<(String, String)>> {
        match of(&spec(key), of_key) {
            Question::Ask(conditions) => {
                let shown = |value: Option<Value<'_>>| match value {
                    Some(Value::Int(number)) => format!("#{number}"),
                    Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                    None => "null".to_owned(),
                };
                Some(conditions.into_iter().map(|(name, value)| (name.to_owned(), shown(value))).collect())
            }
            _ => None,
        }
    }

    #[test]
    fn a_key_is_compared_whole_or_in_its_parts() {
        let fixed = ("grp", "ipauth");
        for (columns, key, want) in [
            ("username", "a@b' OR 1=1", vec![("username", "a@b' OR 1=1"), fixed]),
            ("username", "", vec![("username", ""), fixed]),
            ("username,domain", "a@b", vec![("username", "a"), ("domain", "b"), fixed]),
            ("username,domain", "@", vec![("username", ""), ("domain", ""), fixed]),
            ("id:int", "-5", vec![("id", "#-5"), fixed]),
            ("username,id:int;delim=::", "a::b::7", vec![]),
            ("username,id:int;delim=::", "a:b::7", vec![("username", "a:b"), ("id", "#7"), fixed]),
        ] {
            let want = want.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>();
            assert_eq!(asked(columns, key.as_bytes()).unwrap_or_default(), want, "{columns} {key}");
        }
    }

    #[test]
    fn any_question_has_a_value_for_each_column() {
        let fixed = ("grp", Some(Value::Bytes(b"ipauth")));
        let zeros = [("username", Some(Value::Bytes(b"0"))), ("id", Some(Value::Int(0))), fixed];
        assert_eq!(any(&spec("username,id:int;delim=0")), zeros);
    }

    #[test]
    fn rows_are_counted_where_no_value_needs_quoting() {
        let counted = |condition: &str| {
            let mut spec = spec("username");
            spec.conditions = vec![("grp".into(), condition.into()), ("b".into(), "1".into())];
            count(&spec)
        };
        let want = "SELECT CAST(COUNT(*) AS CHAR(20)) FROM grp WHERE grp='zoë 1' AND b='1'";
        assert_eq!(counted("zoë 1").as_deref(), Some(want));
        for bad in ["it's", "back\\slash", "a\"b", "$1", "?", "%"] {
            assert_eq!(counted(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_not() {
        for (columns, key, want) in [
            ("username,domain", &b"alice"[..], Question::Bad),
            ("username,domain", b"a@b@c", Question::Bad),
            ("username", b"alice\0x", Question::Bad),
            ("id:int", b"5 OR 1=1", Question::Nothing),
            ("id:int", b"05", Question::Nothing),
        ] {
            assert_eq!(of(&spec(columns), key), want, "{columns}");
        }
    }
}
