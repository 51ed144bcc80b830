//! What a host knows of the editions of its list, and what follows: who is let in, and what is to be written where.
//!
//! Pure: records and times are arguments.

use super::{Edition, Record};

/// The record on a server is written again when nobody did for so long, milliseconds: by that others know that a
/// host with this list lives.
pub const RENEWAL_MS: u64 = 2_000;
/// A newer edition whose record nobody has written for so long is no host's list any more, milliseconds.
pub const ABANDONED_MS: u64 = 10_000;

/// What is to be done about the record of a server in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    Nothing,
    /// Our edition is to stand there.
    Write,
    /// A newer edition of another list stands there: ours is to be told beside it.
    Contradict,
}

/// The edition of this host's list, and which servers may come in under it.
#[derive(Clone, Debug, Default)]
pub struct Book {
    digest: u64,
    /// Of this host's edition; `None` until the servers were asked.
    number: Option<u64>,
    /// Servers used last under an edition of a smaller number may hold what has been superseded since; `None` while this host
    /// knows of no edition at all.
    floor: Option<u64>,
    /// The edition that this host's follows: servers of that one did not miss anything.
    before: Option<Edition>,
}

impl Book {
    /// The host begins with a list of this digest.
    #[must_use]
    pub fn new(digest: u64) -> Self {
        Self { digest, ..Self::default() }
    }

    /// The host's list is another one, after so many changes.
    pub fn turn(&mut self, digest: u64, changes: u64) {
        self.before = None;
        if let Some(own) = self.own() {
            self.floor = Some(own.number + 1);
            // Between two changes at once a server may have been off the list, and missed something.
            self.before = (changes == 1).then_some(own);
        }
        (self.digest, self.number) = (digest, None);
    }

    /// The edition of this host's list, once it is known.
    #[must_use]
    pub fn own(&self) -> Option<Edition> {
        self.number.map(|number| Edition { number, digest: self.digest })
    }

    /// Takes in what the servers that were just asked hold. `wall_ms` numbers an edition that no other host has made yet.
    pub fn learn(&mut self, records: &[Record], wall_ms: u64) {
        if records.is_empty() {
            return;
        }
        let editions =
            || records.iter().filter_map(|record| if let Record::Of(edition) = record { Some(*edition) } else { None });
        let newest = editions().max();
        let ours = editions().filter(|edition| edition.digest == self.digest).map(|edition| edition.number).max();
        let next = |than: u64| wall_ms.max(than + 1);
        self.number = Some(match (self.number, self.floor, newest) {
            (Some(number), ..) => ours.unwrap_or(0).max(number),
            (None, Some(floor), _) => match ours.filter(|number| *number >= floor) {
                Some(number) => number,
                None => next(newest.map_or(0, |edition| edition.number).max(floor)),
            },
            (None, None, None) => {
                self.floor = Some(0);
                0
            }
            (None, None, Some(newest)) if newest.digest == self.digest => {
                self.floor = Some(newest.number);
                newest.number
            }
            // The list was changed while no host ran, or this host begins with it before the others do.
            (None, None, Some(newest)) => {
                (self.before, self.floor) = (Some(newest), Some(newest.number + 1));
                next(newest.number)
            }
        });
    }

    /// May a server that comes onto this host's list be used, holding what it holds?
    #[must_use]
    pub fn welcomes(&self, record: Record) -> bool {
        let Some(floor) = self.floor.filter(|_| self.number.is_some()) else { return false };
        match record {
            Record::Missing => true,
            Record::Left => false,
            Record::Of(edition) => edition.number >= floor || self.before == Some(edition),
        }
    }

    /// What to do about the record of a server in service, which nobody has written for `unchanged_ms`.
    pub fn duty(&mut self, record: Record, unchanged_ms: u64) -> Duty {
        let Some(own) = self.own() else { return Duty::Nothing };
        match record {
            Record::Left => Duty::Nothing,
            Record::Missing => Duty::Write,
            Record::Of(edition) if edition < own => Duty::Write,
            Record::Of(edition) if edition == own && unchanged_ms < RENEWAL_MS => Duty::Nothing,
            Record::Of(edition) if edition == own => Duty::Write,
            Record::Of(_) if unchanged_ms < ABANDONED_MS => Duty::Contradict,
            Record::Of(edition) => {
                self.number = Some(edition.number + 1);
                Duty::Write
            }
        }
    }

    /// Does a record tell of a host with another list? One of an older edition only waits to be written anew.
    #[must_use]
    pub fn contradicted_by(&self, record: Record) -> bool {
        match record {
            Record::Missing => false,
            Record::Left => true,
            Record::Of(edition) => self.own().is_some_and(|own| edition > own && edition.digest != own.digest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D1: u64 = 0xd1;
    const D2: u64 = 0xd2;
    const D3: u64 = 0xd3;
    const NOW: u64 = 1_000;

    const fn of(digest: u64, number: u64) -> Record {
        Record::Of(Edition { number, digest })
    }

    use Record::{Left, Missing};

    /// A host begins with the list `D1`; `records` is what its servers hold. Which of them it lets in, and its edition's number.
    #[test]
    fn who_is_let_in_when_a_host_begins() {
        for (story, records, welcome, number) in [
            ("a first start", &[Missing, Missing][..], "yy", 0),
            ("a restart", &[of(D1, 5), of(D1, 5)], "yy", 5),
            ("alone with one server", &[of(D1, 5)], "y", 5),
            ("alone with one server that was used under another list", &[of(D2, 5)], "y", NOW),
            ("one was emptied", &[of(D1, 5), Missing], "yy", 5),
            ("one was taken off by a host that lives no more", &[of(D1, 5), of(D1, 5), Left], "yyn", 5),
            ("all hosts begin with a new list", &[of(D2, 5), of(D2, 5), Missing], "yyy", NOW),
            ("the clock went back since", &[of(D2, 7_000), of(D2, 7_000)], "yy", 7_001),
            ("the list was D1, then D2 without the last, now D1 again", &[of(D2, 6), of(D2, 6), of(D1, 5)], "yyn", NOW),
            ("the same with two servers", &[of(D2, 6), of(D1, 5)], "yn", NOW),
            ("the last missed that the list came back", &[of(D1, 6), of(D1, 6), of(D1, 5)], "yyn", 6),
            ("more servers come back than stayed", &[of(D2, 6), of(D1, 5), of(D1, 5), of(D1, 5)], "ynnn", NOW),
            ("only one that left answers", &[Left], "n", 0),
        ] {
            let mut book = Book::new(D1);
            book.learn(records, NOW);
            let let_in: String = records.iter().map(|record| if book.welcomes(*record) { 'y' } else { 'n' }).collect();
            assert_eq!((let_in.as_str(), book.own()), (welcome, Some(Edition { number, digest: D1 })), "{story}");
        }
    }

    /// A host knows edition 5 of `D1` and changes to another list; `seen` is on the servers that stay, `new` on the one that comes.
    #[test]
    fn who_is_let_in_when_the_list_changes() {
        for (story, digest, changes, seen, new, welcome, number) in [
            ("a new server", D2, 1, of(D1, 5), Missing, true, NOW),
            ("one that left", D2, 1, of(D1, 5), Left, false, NOW),
            ("one that could not be told that it left", D2, 1, of(D1, 5), of(D2, 4), false, NOW),
            ("one of an old list", D2, 1, of(D1, 5), of(D3, 4), false, NOW),
            ("one that another host added before", D2, 1, of(D2, 8), of(D2, 8), true, 8),
            ("one that another host is ahead with", D2, 1, of(D1, 5), of(D3, 8), true, NOW),
            ("the same server at another address", D1, 1, of(D1, 5), of(D1, 5), true, NOW),
            ("the same, and another change with it", D2, 1, of(D1, 5), of(D1, 5), true, NOW),
            ("one that left and came back within one round", D1, 2, of(D1, 5), of(D1, 5), false, NOW),
            ("the clock went back since", D2, 1, of(D1, 7_000), Missing, true, 7_001),
        ] {
            let mut book = Book::new(D1);
            book.learn(&[of(D1, 5)], NOW);
            book.turn(digest, changes);
            assert!(!book.welcomes(Missing), "{story}: nobody was asked yet");
            book.learn(&[seen, new], NOW);
            assert_eq!((book.welcomes(new), book.own()), (welcome, Some(Edition { number, digest })), "{story}");
        }
    }

    #[test]
    fn a_server_that_answers_late_is_judged_as_the_others_were() {
        let mut book = Book::new(D1);
        book.learn(&[of(D2, 5)], NOW);
        assert!(book.welcomes(of(D2, 5)), "of the same edition as those that were asked first");
        assert!(!book.welcomes(of(D1, 4)));
        let mut book = Book::new(D1);
        book.learn(&[Missing], NOW);
        book.learn(&[of(D1, 5)], NOW);
        assert!(book.welcomes(of(D1, 5)));
        assert_eq!(book.own().map(|own| own.number), Some(5), "what it begins with is not newer than what was there");
        book.learn(&[], NOW);
        assert_eq!(book.own().map(|own| own.number), Some(5));
    }

    #[test]
    fn what_is_to_be_done_about_a_record() {
        let mut book = Book::new(D1);
        assert_eq!(book.duty(Missing, 0), Duty::Nothing, "nobody was asked yet");
        book.learn(&[of(D1, 5)], NOW);
        for (record, unchanged_ms, duty, contradicted) in [
            (Missing, 0, Duty::Write, false),
            (Left, 99_999, Duty::Nothing, true),
            (of(D1, 5), RENEWAL_MS - 1, Duty::Nothing, false),
            (of(D1, 5), RENEWAL_MS, Duty::Write, false),
            (of(D1, 4), 0, Duty::Write, false),
            (of(D2, 4), 0, Duty::Write, false),
            (of(D2, 6), ABANDONED_MS - 1, Duty::Contradict, true),
        ] {
            assert_eq!(
                (book.duty(record, unchanged_ms), book.contradicted_by(record)),
                (duty, contradicted),
                "{record:?}"
            );
        }
        assert_eq!(book.own().map(|own| own.number), Some(5));
        assert_eq!(book.duty(of(D2, 6), ABANDONED_MS), Duty::Write);
        assert_eq!(book.own().map(|own| own.number), Some(7), "newer than what nobody stands for any more");
    }
}
