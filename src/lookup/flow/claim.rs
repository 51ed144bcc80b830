//! Places taken by one who fills a table.

use super::{Bid, Old, Place, Store, TRIES, take, yielded};
use crate::cache::Fault;
use crate::lookup::policy::Policy;
use crate::value::frame::Item;

/// Takes the entry's place for one who fills a table unasked: what lies there stays until it is replaced. `None` where
/// another loader is at work, or where what is loaded now could not be kept.
///
/// # Errors
/// The store does not answer, or others change the entry all the time.
pub fn claim<S: Store>(store: &mut S, policy: &Policy) -> Result<Option<Claim<S::Token>>, Fault> {
    let claim = reach(store, policy)?;
    Ok(claim.filter(|claim| !yielded(store, policy, &claim.place)))
}

fn reach<S: Store>(store: &mut S, policy: &Policy) -> Result<Option<Claim<S::Token>>, Fault> {
    for _ in 0..TRIES {
        let over = match store.read()? {
            None => None,
            Some(seen) => match Item::from_wire(store.found()) {
                Some(Item::Loading(_)) => return Ok(None),
                None | Some(Item::GivenUp { .. }) => Some(seen.token),
                Some(_) => {
                    let old = Some(Old { entry: store.found().into(), stale: false });
                    let lasting = seen.left == 0 && !seen.stands_in;
                    return Ok(Some(Claim { place: Place::Own { token: seen.token, old }, lasting }));
                }
            },
        };
        match take(store, policy, over, Bid::default()) {
            Some(Place::Down) => return Err(Fault::Down),
            Some(place @ Place::Own { .. }) => return Ok(Some(Claim { place, lasting: false })),
            Some(Place::Alone) | None => {}
        }
    }
    Err(Fault::Unsettled)
}

/// A place that was taken to fill it.
#[derive(Debug)]
pub struct Claim<T> {
    pub place: Place<T>,
    /// What lies there would live for ever.
    pub(super) lasting: bool,
}

impl<T> Claim<T> {
    /// Does this lie there already, to live as long as it would now?
    pub fn holds(&self, policy: &Policy, item: Item<'_>) -> bool {
        let Place::Own { old: Some(old), .. } = &self.place else { return false };
        let forever = self.lasting && policy.life(item.negative(), 0) == Some(0);
        forever && Item::from_wire(old.wire()) == Some(item)
    }
}
