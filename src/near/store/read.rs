//! Reading: without the lock, without waiting, without a system call. Who may wait takes the lock where that fails.

use super::Store;
use super::answer::{Copied, Fault, Found, Hit};
use super::chunk::Chunk;
use super::sequence::Torn;
use super::view::View;
use crate::clock::Deadline;

/// Tries until a reader gives up: about as long as the longest change takes.
const TRIES: u32 = 16;

/// One read: whose, when, and which entries count as fresh.
struct Query<'a, F> {
    hash: u32,
    key: &'a [u8],
    now: u64,
    fresh: F,
}

/// Where an entry is copied to; without `value` it is only looked at, which is no use of it.
struct Room<'a> {
    hit: &'a mut Hit,
    value: Option<&'a mut Vec<u8>>,
}

impl Store {
    /// Copies the entry, if `fresh` agrees to what is known of it; without one the copy's value is empty.
    /// Neither waits nor makes a system call.
    #[inline(always)]
    pub fn find(&self, key: &[u8], now: u64, fresh: impl Fn(&Hit) -> bool, to: &mut Copied) -> Found {
        let found = match self.checked(key) {
            Err(_) => Found::Missing,
            Ok((shard, hash)) => {
                let room = Room { hit: &mut to.hit, value: Some(&mut to.value) };
                let query = Query { hash, key, now, fresh };
                query.without_lock(self.raw.shard(shard).1, room).unwrap_or(Found::Busy)
            }
        };
        if found != Found::Hit {
            to.value.clear();
        }
        found
    }

    /// Reads the entry into `out` (which is empty without one; its buffer is reused).
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn get(&self, key: &[u8], now: u64, out: &mut Vec<u8>, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        let answer = self.read(key, now, Some(out), deadline);
        if !matches!(answer, Ok(Some(_))) {
            out.clear();
        }
        answer
    }

    /// What is known of the entry without its value; does not count as use.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn look(&self, key: &[u8], now: u64, deadline: Deadline) -> Result<Option<Hit>, Fault> {
        self.read(key, now, None, deadline)
    }

    fn read(
        &self,
        key: &[u8],
        now: u64,
        mut out: Option<&mut Vec<u8>>,
        deadline: Deadline,
    ) -> Result<Option<Hit>, Fault> {
        let (shard, hash) = self.checked(key)?;
        let query = Query { hash, key, now, fresh: |_: &Hit| true };
        let mut hit = Hit::default();
        let room = Room { hit: &mut hit, value: out.as_deref_mut() };
        let found = match query.without_lock(self.raw.shard(shard).1, room) {
            Ok(found) => found,
            Err(Torn) => {
                let locked = self.lock(shard, deadline)?;
                let mut room = Room { hit: &mut hit, value: out };
                query.once(locked.view(), || true, &mut room).map_or(Found::Missing, |(found, _)| found)
            }
        };
        Ok((found == Found::Hit).then_some(hit))
    }
}

impl<F: Fn(&Hit) -> bool> Query<'_, F> {
    #[inline(always)]
    fn without_lock(&self, view: View<'_>, mut room: Room<'_>) -> Result<Found, Torn> {
        let sequence = &view.group(self.hash).sequence;
        let (found, used) = sequence.read(TRIES, |since| self.once(view, || since.holds(), &mut room))?;
        if let Some(chunk) = used {
            chunk.saw();
        }
        Ok(found)
    }

    /// What was found and, if it was copied, where. The head is trusted, and the caller asked, only if it `holds`.
    #[inline(always)]
    fn once<'v>(
        &self,
        view: View<'v>,
        holds: impl Fn() -> bool,
        room: &mut Room<'_>,
    ) -> Result<(Found, Option<&'v Chunk>), Torn> {
        let Some((at, chunk)) = view.find(self.hash, self.key) else { return Ok((Found::Missing, None)) };
        let head = chunk.head();
        *room.hit = Hit::from(head);
        if !holds() {
            return Err(Torn);
        }
        if head.expired(self.now) {
            return Ok((Found::Missing, None));
        }
        if !(self.fresh)(room.hit) {
            return Ok((Found::Stale, None));
        }
        let Some(value) = &mut room.value else { return Ok((Found::Hit, None)) };
        view.copy_value(at, &head, value)?;
        Ok((Found::Hit, Some(chunk)))
    }
}
