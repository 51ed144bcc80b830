//! Commands as they go on the wire. Each builder appends one command to a link's request and notes the reply it expects.
//!
//! A key that could end or split a command is never written: the request is then refused as a whole.

use super::Link;
use super::inbox::{KEEP, KEEP_REPLIES};
use super::parse::Expect;

/// memcached's limit for a key as it is sent.
const MAX_KEY: usize = 250;

/// A key in its wire form.
#[derive(Clone, Copy, Debug)]
pub struct KeyRef<'a> {
    /// The bytes to send.
    pub bytes: &'a [u8],
    /// They are base64 of the real key: the flag `b` goes along.
    pub base64: bool,
}

/// The bytes to send, and the replies they ask for.
#[derive(Default)]
pub struct Request {
    pub bytes: Vec<u8>,
    pub expects: Vec<Expect>,
    /// Where each store ends.
    stores: Vec<usize>,
    /// A builder was handed something that must not be sent.
    pub unfit: bool,
}

impl Request {
    /// What a server that runs with `-Y` is told first. Reply: the line `STORED`.
    pub fn login(user: &str, pass: &str) -> Self {
        let secret = format!("{user} {pass}");
        let head = format!("set auth 0 0 {}\r\n", secret.len());
        let mut request = Self::default();
        request.command(Expect::Line, &[head.as_bytes(), secret.as_bytes(), b"\r\n"]);
        request
    }

    /// Forgets the commands and gives a large buffer back.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEEP);
        self.expects.clear();
        self.expects.shrink_to(KEEP_REPLIES);
        self.stores.clear();
        self.stores.shrink_to(KEEP_REPLIES);
        self.unfit = false;
    }

    /// The end of the TLS records that begin at `from`. What follows a value has a record of its own: a server waits for
    /// its socket while it reads a value, and would not see a command that it has already received with it.
    pub fn record_end(&self, from: usize) -> usize {
        let next = self.stores.partition_point(|end| *end <= from);
        self.stores.get(next).copied().unwrap_or(self.bytes.len())
    }

    fn command(&mut self, expect: Expect, parts: &[&[u8]]) {
        self.bytes.reserve(parts.iter().map(|part| part.len()).sum());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.expects.push(expect);
    }

    fn keyed(&mut self, word: &[u8], key: KeyRef<'_>, flags: &str, expect: Expect) {
        self.unfit |= !fit(key.bytes) || !one_line(flags.as_bytes());
        self.command(expect, &[word, key.bytes, gap(flags), flags.as_bytes(), mark(key), b"\r\n"]);
    }
}

fn gap(flags: &str) -> &'static [u8] {
    if flags.is_empty() { b"" } else { b" " }
}

fn mark(key: KeyRef<'_>) -> &'static [u8] {
    if key.base64 { b" b" } else { b"" }
}

fn fit(key: &[u8]) -> bool {
    let foreign = key.iter().fold(false, |found, byte| found | (*byte <= b' ') | (*byte == 0x7f));
    !foreign && !key.is_empty() && key.len() <= MAX_KEY
}

/// One look at a whole line: so many words, and no byte that could end it.
fn words(line: &[u8], count: usize) -> bool {
    let foreign = line.iter().fold(false, |found, byte| found | (*byte < b' ') | (*byte == 0x7f));
    let gaps = line.chunks(255).map(|part| usize::from(part.iter().map(|byte| u8::from(*byte == b' ')).sum::<u8>()));
    !foreign && gaps.sum::<usize>() + 1 == count
}

fn one_line(text: &[u8]) -> bool {
    !text.iter().fold(false, |found, byte| found | (*byte < b' '))
}

impl Link {
    /// How many commands the request holds by now: the place of the next one's reply.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.request().expects.len()
    }

    /// `mg`: reads an item; `flags` are tokens as `v f c t`. Replies: `Value`, `Done`, `Miss`.
    pub fn mg(&mut self, key: KeyRef<'_>, flags: &str) {
        self.request_mut().keyed(b"mg ", key, flags, Expect::Get);
    }

    /// `ms`: stores the concatenated `value` parts. Replies: `Done`, `NotStored`, `Exists`, `NotFound`, `ServerError`.
    pub fn ms(&mut self, key: KeyRef<'_>, value: &[&[u8]], flags: &str) {
        let request = self.request_mut();
        request.unfit |= !fit(key.bytes) || !one_line(flags.as_bytes());
        let size: usize = value.iter().map(|part| part.len()).sum();
        let length = super::Flags::new("").with('S', size as u64);
        request.bytes.reserve(size + key.bytes.len() + flags.len() + 40);
        let digits = &length.as_bytes()[1..];
        let head: [&[u8]; 8] = [b"ms ", key.bytes, b" ", digits, gap(flags), flags.as_bytes(), mark(key), b"\r\n"];
        request.command(Expect::Store, &head);
        for part in value {
            request.bytes.extend_from_slice(part);
        }
        request.bytes.extend_from_slice(b"\r\n");
        request.stores.push(request.bytes.len());
    }

    /// `md`: deletes. Replies: `Done`, `NotFound`, `Exists`.
    pub fn md(&mut self, key: KeyRef<'_>, flags: &str) {
        self.request_mut().keyed(b"md ", key, flags, Expect::Delete);
    }

    /// `ma`: counts. Replies: `Value` (flag `v`), `Done`, `NotFound`, `NotStored`, `Exists`, and `ClientError` for an
    /// item that is not a number, which leaves the connection open.
    pub fn ma(&mut self, key: KeyRef<'_>, flags: &str) {
        self.request_mut().keyed(b"ma ", key, flags, Expect::Count);
    }

    /// `ma` on each of these, with the same flags: cheaper than one by one.
    pub fn ma_all<const N: usize>(&mut self, keys: [KeyRef<'_>; N], flags: &str) {
        let request = self.request_mut();
        request.unfit |= !one_line(flags.as_bytes()) || !keys.iter().all(|key| fit(key.bytes));
        let room = keys.map(|key| flags.len() + key.bytes.len()).iter().sum::<usize>();
        request.bytes.reserve(room + N * "ma   b\r\n".len());
        for key in keys {
            request.bytes.extend_from_slice(b"ma ");
            request.bytes.extend_from_slice(key.bytes);
            request.bytes.extend_from_slice(gap(flags));
            request.bytes.extend_from_slice(flags.as_bytes());
            request.bytes.extend_from_slice(mark(key));
            request.bytes.extend_from_slice(b"\r\n");
            request.expects.push(Expect::Count);
        }
    }

    /// `mn`: asks for a sign of life. Reply: `Noop`.
    pub fn mn(&mut self) {
        self.request_mut().command(Expect::Noop, &[b"mn\r\n"]);
    }

    /// Classic `get` of many keys in one line, each `head` and a tail; cheaper than many `mg`. Reply: `Values`. Keys that
    /// need base64 cannot be asked for this way. No keys, no command.
    pub fn get<'k>(&mut self, head: &[u8], tails: impl IntoIterator<Item = &'k [u8]>) {
        let request = self.request_mut();
        let start = request.bytes.len();
        let mut count = 0;
        for tail in tails {
            let length = head.len() + tail.len();
            request.unfit |= length == 0 || length > MAX_KEY;
            request.bytes.extend_from_slice(if count == 0 { b"get " } else { b" " });
            request.bytes.extend_from_slice(head);
            request.bytes.extend_from_slice(tail);
            count += 1;
        }
        if count > 0 {
            request.unfit |= !words(&request.bytes[start..], count as usize + 1);
            request.command(Expect::Values { keys: count }, &[b"\r\n"]);
        }
    }

    /// A plain command answered by one line, as `version`. Reply: `Line`.
    pub fn line(&mut self, command: &[u8]) {
        self.plain(command, Expect::Line);
    }

    /// A plain command answered by lines up to `END`, as `stats settings`. Reply: `Lines`.
    pub fn lines(&mut self, command: &[u8]) {
        self.plain(command, Expect::Lines);
    }

    pub(super) fn plain(&mut self, command: &[u8], expect: Expect) {
        let request = self.request_mut();
        request.unfit |= command.is_empty() || !one_line(command);
        request.command(expect, &[command, b"\r\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Endpoint;
    use super::*;

    const PLAIN: KeyRef<'_> = KeyRef { bytes: b"t:k", base64: false };
    const CODED: KeyRef<'_> = KeyRef { bytes: b"dDpr", base64: true };

    fn written(build: impl FnOnce(&mut Link)) -> Option<String> {
        let mut link = Link::new(Endpoint::default());
        link.begin();
        build(&mut link);
        let request = link.request_mut();
        (!request.unfit).then(|| String::from_utf8_lossy(&request.bytes).into_owned())
    }

    #[test]
    fn commands_go_out_as_memcached_reads_them() {
        for (want, got) in [
            ("mg t:k v f\r\n", written(|link| link.mg(PLAIN, "v f"))),
            ("mg t:k\r\n", written(|link| link.mg(PLAIN, ""))),
            ("mg dDpr v b\r\n", written(|link| link.mg(CODED, "v"))),
            ("ms t:k 5 T9\r\nab\r\nc\r\n", written(|link| link.ms(PLAIN, &[b"ab", b"\r\nc"], "T9"))),
            ("ms dDpr 0 b\r\n\r\n", written(|link| link.ms(CODED, &[], ""))),
            (
                "md t:k q\r\nma t:k N0\r\nmn\r\n",
                written(|link| {
                    link.md(PLAIN, "q");
                    link.ma(PLAIN, "N0");
                    link.mn();
                }),
            ),
            ("ma t:k N0 J5\r\nma dDpr N0 J5 b\r\n", written(|link| link.ma_all([PLAIN, CODED], "N0 J5"))),
            ("ma t:k\r\n", written(|link| link.ma_all([PLAIN], ""))),
            ("get a b\r\n", written(|link| link.get(b"", [&b"a"[..], b"b"]))),
            ("", written(|link| link.get(b"t:", []))),
            ("version\r\n", written(|link| link.line(b"version"))),
        ] {
            assert_eq!(got.as_deref(), Some(want));
        }
    }

    #[test]
    fn what_could_split_a_command_is_never_written() {
        let long = [b'k'; 251];
        for bytes in [&b"a b"[..], b"a\r\nflush_all", b"a\n", b"a\0", b"a\x7f", b"", &long] {
            let key = KeyRef { bytes, base64: false };
            assert_eq!(written(|link| link.mg(key, "v")), None, "{bytes:?}");
            assert_eq!(written(|link| link.ms(key, &[], "")), None, "{bytes:?}");
            assert_eq!(written(|link| link.ma_all([PLAIN, key], "")), None, "{bytes:?}");
            assert_eq!(written(|link| link.get(b"", [&b"good"[..], bytes])), None, "{bytes:?}");
        }
        assert_eq!(written(|link| link.mg(PLAIN, "v\r\nflush_all")), None);
        assert_eq!(written(|link| link.ma_all([PLAIN], "N0\r\nflush_all")), None);
        assert_eq!(written(|link| link.line(b"version\nflush_all")), None);
    }
}
