//! A server's list of its keys (`lru_crawler metadump`), line by line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock;

/// Makes a server list all its items, in the order of its hash table.
pub(crate) const COMMAND: &[u8] = b"lru_crawler metadump hash";

/// One item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    /// The raw key.
    pub key: &'a [u8],
    pub cas: u64,
    /// What the item takes on its server, bytes.
    pub size: u32,
}

impl<'a> Listed<'a> {
    /// Reads a line; `room` takes the key without its escapes. `None` for an item that has expired or a line of another form.
    pub fn read(line: &[u8], room: &'a mut Vec<u8>) -> Option<Self> {
        let mut fields = line.split(|byte| *byte == b' ');
        let key = fields.next()?.strip_prefix(b"key=")?;
        let expires: i64 = number(fields.next()?.strip_prefix(b"exp=")?)?;
        if expires >= 0 && u64::try_from(expires).ok()? <= clock::wall_s() {
            return None;
        }
        let (mut cas, mut size) = (0, 0);
        for field in fields {
            if let Some(text) = field.strip_prefix(b"cas=") {
                cas = number(text)?;
            } else if let Some(text) = field.strip_prefix(b"size=") {
                size = number(text)?;
            }
        }
        unescape(key, room)?;
        Some(Self { key: room, cas, size })
    }
}

fn number<N: std::str::FromStr>(text: &[u8]) -> Option<N> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Undoes the list's `%0A`.
fn unescape(text: &[u8], raw: &mut Vec<u8>) -> Option<()> {
    raw.clear();
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            raw.push(*byte);
            continue;
        }
        let (digits, tail) = rest.split_first_chunk::<2>()?;
        raw.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    Some(())
}

/// A raw key as it goes on the wire, and whether as base64.
pub(crate) fn spelled(raw: &[u8]) -> (Vec<u8>, bool) {
    let printable = raw.iter().all(|byte| (0x21..=0x7e).contains(byte));
    if printable { (raw.to_vec(), false) } else { (STANDARD.encode(raw).into_bytes(), true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_with_its_escapes() {
        for (line, want) in [
            (&b"key=t%3Aa%0D%0Ab%FF exp=-1 la=1 cas=7 fetch=no cls=1 size=68"[..], Some((&b"t:a\r\nb\xff"[..], 7, 68))),
            (b"key=t%3Ax%25y exp=99999999999 la=1", Some((b"t:x%y", 0, 0))),
            (b"key=t%3Ax exp=1 la=1", None),
            (b"key=t%3 exp=-1", None),
            (b"key=t%zz exp=-1", None),
            (b"key=t exp=-1 cas=x", None),
            (b"BUSY currently processing crawler request", None),
            (b"", None),
        ] {
            let want = want.map(|(key, cas, size)| Listed { key, cas, size });
            assert_eq!(Listed::read(line, &mut Vec::new()), want, "{}", String::from_utf8_lossy(line));
        }
    }
}
