//! `warm`: a table filled from lines, as a database's client prints them.
//!
//! All lines are read and judged before the first one is stored. Entries are added where there are none, so whatever a proxy
//! stored or is loading stays, and a second run does no harm.

use crate::Trouble;
use crate::args::Args;
use crate::guest;
use crate::show;
use crate::verbs::{VALUE_MAX, typed};
use shardcache::cache::Cache;
use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

/// So many bad lines are named.
const NAMED: usize = 10;
/// Between two lines of progress.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// How a table is to be filled.
pub struct Wish {
    /// Entries per second at most.
    pub rate: u32,
    /// Seconds until they expire; unless given, as the table says.
    pub ttl: Option<u32>,
    /// All values are strings.
    pub string: bool,
}

/// One entry to be: its line's number, key and value.
type Line<'a> = (usize, &'a [u8], &'a [u8]);

pub fn run(args: &Args, table: &str, wish: &Wish) -> Result<(), Trouble> {
    let mut text = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut text);
    read.map_err(|error| Trouble::Argument(format!("standard input: {error}")))?;
    let lines = lines(&text)?;
    let mut cache = Cache::new(guest::join(args, &[table])?);
    let (begun, mut told, mut stored) = (Instant::now(), Instant::now(), 0);
    for (done, (number, key, value)) in lines.iter().enumerate() {
        let due = Duration::from_secs(done as u64) / wish.rate;
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let added = guest::patiently(args, &mut cache, |cache| cache.add(0, key, typed(value, wish.string), wish.ttl));
        let failed = |why: String| {
            let trouble = guest::unavailable(table, key, &why);
            Trouble::Unavailable(format!("line {number}: {trouble}; the {done} lines before it are done"))
        };
        stored += usize::from(added.map_err(failed)?);
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            eprintln!("shcctl: {} of {} lines, {stored} stored", done + 1, lines.len());
        }
    }
    show::warmed(table, lines.len(), stored, args.json);
    Ok(())
}

/// The entries of a text, one per line.
fn lines(text: &[u8]) -> Result<Vec<Line<'_>>, Trouble> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let all = text.split(|byte| *byte == b'\n').enumerate().filter(|_| !text.is_empty());
    let (good, bad): (Vec<_>, Vec<_>) = all.map(|(at, line)| entry(at + 1, line)).partition(Result::is_ok);
    let mut bad: Vec<String> = bad.into_iter().filter_map(Result::err).collect();
    if bad.is_empty() {
        return Ok(good.into_iter().filter_map(Result::ok).collect());
    }
    let more = bad.len().saturating_sub(NAMED);
    bad.truncate(NAMED);
    if more > 0 {
        bad.push(format!("{more} more lines"));
    }
    Err(Trouble::Argument(format!("{}; nothing was stored", bad.join("\nshcctl: "))))
}

fn entry(number: usize, line: &[u8]) -> Result<Line<'_>, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let tab = line.iter().position(|byte| *byte == b'\t');
    let tab = tab.ok_or_else(|| format!("line {number}: expected a key, a tab and a value"))?;
    let (key, value) = (&line[..tab], &line[tab + 1..]);
    match (key.len(), value.len()) {
        (0, _) => Err(format!("line {number}: the key is empty")),
        (_, size) if size > VALUE_MAX => {
            Err(format!("line {number}: expected a value of at most {VALUE_MAX} bytes, got {size}"))
        }
        _ => Ok((number, key, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_line_is_a_key_a_tab_and_the_rest() {
        let got = lines(b"alice\tsip:a\tb\nbob\t\r\n\xff\t5").ok();
        assert_eq!(got, Some(vec![(1, &b"alice"[..], &b"sip:a\tb"[..]), (2, b"bob", b""), (3, b"\xff", b"5")]));
        assert_eq!(lines(b"").ok(), Some(Vec::new()));
    }

    #[test]
    fn bad_lines_are_named_by_their_numbers() {
        let told = |text: &[u8]| lines(text).err().map(|trouble| trouble.to_string()).unwrap_or_default();
        let got = told(b"a\tb\nnonsense\n\tvalue\n\nc\td\n");
        for words in ["line 2: expected a key", "line 3: the key is empty", "line 4: expected", "nothing was stored"] {
            assert!(got.contains(words), "{got}");
        }
        assert!(!got.contains("line 1:") && !got.contains("line 5:"), "{got}");
        assert!(told(&b"x\n".repeat(15)).contains("5 more lines"));
        assert!(told(&[b"k\t", &b"v".repeat(1_000_001)[..]].concat()).contains("at most 1000000 bytes, got 1000001"));
    }
}
