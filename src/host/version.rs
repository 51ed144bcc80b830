//! What a host says of itself: version and flags, and whether this module may run in it.
//!
//! Pure text work without a host, shared with `build.rs`. The loader compares the flags it was compiled with, and from
//! 6.1 on the text a host shows differs from that one by a few words.

/// The host series whose binary interface is known. In order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    V5_6,
    V5_7,
    V5_8,
    V6_0,
    V6_1,
    V6_2,
}

/// Series, its major and minor number, and the last patch level that was measured.
const KNOWN: [(Series, u32, u32, u32); 6] = [
    (Series::V5_6, 5, 6, 6),
    (Series::V5_7, 5, 7, 7),
    (Series::V5_8, 5, 8, 8),
    (Series::V6_0, 6, 0, 7),
    (Series::V6_1, 6, 1, 5),
    (Series::V6_2, 6, 2, 0),
];

/// Words that the host shows since 6.1 although its loader was compiled without them.
const SHOWN_ONLY: [&str; 4] = ["DBG_QM_MALLOC", "DBG_F_MALLOC", "DBG_TLSF_MALLOC", "DBG_QM_MALLOC_BACKTRACE"];

/// Build options that move the members of structures this module reads.
const FOREIGN: [&str; 1] = ["USE_COMP"];

/// May this module run in a host?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    Accept(Series),
    /// It may, but the operator should know why this is not certain.
    Warn(Series, String),
    /// It may not; the series is the nearest known one, for those who force it.
    Refuse(Series, String),
}

/// Judges a host by its version, as in `kamailio 5.6.3 (x86_64/linux)`, and its flags.
#[must_use]
pub fn judge(version: &str, flags: &str) -> Judgement {
    let newest = Series::V6_1;
    let Some((major, minor, patch, suffix)) = numbers(version) else {
        return Judgement::Refuse(newest, format!("\"{version}\" is not a version this module can read"));
    };
    let Some((series, _, _, last)) = KNOWN.into_iter().find(|known| (known.1, known.2) == (major, minor)) else {
        let nearest = if (major, minor) < (5, 6) { Series::V5_6 } else { newest };
        return Judgement::Refuse(nearest, format!("series {major}.{minor} is not known"));
    };
    if let Some(word) = FOREIGN.into_iter().find(|word| words(flags).any(|flag| flag == *word)) {
        return Judgement::Refuse(series, format!("it was built with {word}, which changes its data structures"));
    }
    let snapshot = suffix.contains("dev") || suffix.contains("pre");
    match (series, snapshot) {
        (Series::V6_2, true) => Judgement::Warn(series, "a development version: its interface may still change".into()),
        (Series::V6_2, false) => Judgement::Refuse(series, "series 6.2 is only known from before its release".into()),
        (_, true) => {
            Judgement::Refuse(series, format!("{major}.{minor}{suffix} is a snapshot from before the release"))
        }
        _ if patch > last => {
            Judgement::Warn(series, format!("it is newer than {major}.{minor}.{last}, the last known of its series"))
        }
        _ if suffix.contains("rc") => Judgement::Warn(series, "a release candidate".into()),
        _ => Judgement::Accept(series),
    }
}

/// Major, minor, patch, and whatever follows them in the same word.
fn numbers(version: &str) -> Option<(u32, u32, u32, &str)> {
    let mut parts = version.split_ascii_whitespace();
    let name = parts.next()?;
    let word = parts.next()?;
    if !name.starts_with("kamailio") {
        return None;
    }
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let (digits, suffix) = word.split_at(end);
    let mut digits = digits.split('.');
    let mut next = || digits.next()?.parse().ok();
    Some((next()?, next()?, next()?, suffix))
}

fn words(flags: &str) -> impl Iterator<Item = &str> {
    flags.split(',').map(str::trim)
}

/// The flags that the loader of this series compares with, from those that the host shows.
#[must_use]
pub fn loader_flags(series: Series, shown: &str) -> String {
    if series < Series::V6_1 {
        return shown.to_string();
    }
    shown.split(", ").filter(|word| !SHOWN_ONLY.contains(word)).collect::<Vec<_>>().join(", ")
}

/// Version and loader flags from the output of `kamailio -v`.
#[must_use]
pub fn printed(output: &str) -> Option<(String, String)> {
    let line = |title: &str| output.lines().find_map(|line| line.strip_prefix(title)).map(str::trim);
    let version = line("version: ")?;
    let flags = line("flags: ")?;
    let series = match judge(version, flags) {
        Judgement::Accept(series) | Judgement::Warn(series, _) | Judgement::Refuse(series, _) => series,
    };
    Some((version.to_string(), loader_flags(series, flags)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: &str, flags: &str) -> String {
        match judge(version, flags) {
            Judgement::Accept(series) => format!("accept {series:?}"),
            Judgement::Warn(series, _) => format!("warn {series:?}"),
            Judgement::Refuse(series, _) => format!("refuse {series:?}"),
        }
    }

    #[test]
    fn a_host_is_judged_by_its_version() {
        for (version, want) in [
            ("kamailio 5.6.0 (x86_64/linux)", "accept V5_6"),
            ("kamailio 5.6.3 (x86_64/linux)", "accept V5_6"),
            ("kamailio 5.6.7 (x86_64/linux)", "warn V5_6"),
            ("kamailio 5.7.7 (x86_64/linux)", "accept V5_7"),
            ("kamailio 5.8.8 (aarch64/linux)", "accept V5_8"),
            ("kamailio 5.8.9 (x86_64/linux)", "warn V5_8"),
            ("kamailio 6.0.7 (x86_64/linux)", "accept V6_0"),
            ("kamailio 6.1.4 (x86_64/Linux)", "accept V6_1"),
            ("kamailio 6.1.4-tls (x86_64/Linux)", "accept V6_1"),
            ("kamailio 6.1.0-rc0 (x86_64/Linux)", "warn V6_1"),
            ("kamailio 6.1.12 (x86_64/Linux)", "warn V6_1"),
            ("kamailio 6.1.0-dev3 (x86_64/Linux)", "refuse V6_1"),
            ("kamailio 5.7.0-pre1 (x86_64/linux)", "refuse V5_7"),
            ("kamailio 6.2.0-dev1 (x86_64/linux)", "warn V6_2"),
            ("kamailio 6.2.0 (x86_64/linux)", "refuse V6_2"),
            ("kamailio 6.3.0 (x86_64/linux)", "refuse V6_1"),
            ("kamailio 7.0.0 (x86_64/linux)", "refuse V6_1"),
            ("kamailio 5.5.4 (x86_64/linux)", "refuse V5_6"),
            ("kamailio 4.4.1 (x86_64/linux)", "refuse V5_6"),
            ("kamailio 56.6.3 (x86_64/linux)", "refuse V6_1"),
            ("kamailio 5.6 (x86_64/linux)", "refuse V6_1"),
            ("opensips 3.4.0 (x86_64/linux)", "refuse V6_1"),
            ("kamailio", "refuse V6_1"),
            ("", "refuse V6_1"),
        ] {
            assert_eq!(said(version, "USE_TCP, USE_TLS"), want, "{version}");
        }
    }

    #[test]
    fn a_build_option_that_moves_members_is_refused() {
        for (flags, want) in [
            ("USE_TCP, USE_COMP, USE_TLS", "refuse V5_6"),
            ("USE_COMP", "refuse V5_6"),
            ("USE_COMPRESSION, NO_USE_COMP", "accept V5_6"),
            ("", "accept V5_6"),
        ] {
            assert_eq!(said("kamailio 5.6.3 (x86_64/linux)", flags), want, "{flags}");
        }
    }

    #[test]
    fn words_that_are_only_shown_are_left_out_from_6_1_on() {
        let shown = "USE_TCP, DBG_SR_MEMORY, DBG_QM_MALLOC, DBG_F_MALLOC, DBG_TLSF_MALLOC, USE_FUTEX, DBG_F_MALLOC";
        assert_eq!(loader_flags(Series::V6_0, shown), shown);
        assert_eq!(loader_flags(Series::V6_1, shown), "USE_TCP, DBG_SR_MEMORY, USE_FUTEX");
        assert_eq!(loader_flags(Series::V6_2, "A, DBG_QM_MALLOC_BACKTRACE"), "A");
        assert_eq!(loader_flags(Series::V6_2, "A, DBG_F_MALLOC_X, Q_MALLOC"), "A, DBG_F_MALLOC_X, Q_MALLOC");
    }

    #[test]
    fn a_printed_version_gives_both_texts() {
        let output = "version: kamailio 6.1.4 (x86_64/Linux) \nflags: USE_TCP, DBG_F_MALLOC, F_MALLOC\nid: unknown \n";
        let want = ("kamailio 6.1.4 (x86_64/Linux)".to_string(), "USE_TCP, F_MALLOC".to_string());
        assert_eq!(printed(output), Some(want));
        assert_eq!(printed("kamailio 6.1.4"), None);
    }
}
