//! One connection per URL in each process, whoever asks: the host hands out a connection again while anybody holds it, also one that
//! broke. So who finds it broken must be able to give it up for all of us.

use super::link::Link;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};
use std::sync::Arc;

/// Where the connection lies while there is one.
pub type Place = Rc<RefCell<Option<Link>>>;

type Places = Vec<(Arc<str>, Weak<RefCell<Option<Link>>>)>;

thread_local! {
    // Nothing of ours may run when a thread ends.
    static PLACES: ManuallyDrop<RefCell<Places>> = const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

/// The place of a URL's connection in this process.
pub fn place(url: &Arc<str>) -> Place {
    PLACES.with(|places| {
        let mut places = places.borrow_mut();
        places.retain(|(_, place)| place.strong_count() > 0);
        let known = places.iter().find(|(of, _)| of == url).and_then(|(_, place)| place.upgrade());
        known.unwrap_or_else(|| {
            let made = Place::default();
            places.push((Arc::clone(url), Rc::downgrade(&made)));
            made
        })
    })
}
