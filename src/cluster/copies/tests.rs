//! What the simulator found once, each as one small scene.

mod bars;
mod commits;
mod counters;
mod items;
mod marks;
mod polls;

use super::*;

const MARK: Mark = Mark(2001);
const VIEW: View = View { home: MARK, partner: MARK };

fn scene(up: [bool; 2]) -> Scene<'static> {
    Scene { up, clock: 5000, now_ms: 0, ..Scene::calm(&Rules::ALL) }
}

fn hit(number: u64, stamp: u16) -> Answer {
    Answer::Hit(Hit { stamp, cas: 7, ttl: None, digest: number, number: Some(number) })
}

fn leg(answers: &[Answer]) -> Leg {
    let mut leg = Leg { fate: Fate::Answered, ..Leg::default() };
    leg.answers[..answers.len()].copy_from_slice(answers);
    leg
}

fn sent<T: std::fmt::Debug>(step: Step<T>) -> Request {
    match step {
        Step::Send(request) => request,
        Step::Done(done) => panic!("done: {done:?}"),
    }
}

fn done<T: std::fmt::Debug>(step: Step<T>) -> T {
    match step {
        Step::Done(done) => done,
        Step::Send(request) => panic!("sends {request:?}"),
    }
}

/// A look at a side that holds this under the current epoch.
fn shows(item: Option<u64>, tomb: Option<u64>, mark: Answer) -> Leg {
    let stamp = MARK.stamp(&Rules::ALL);
    let hit = |number: Option<u64>| number.map_or(Answer::Miss, |number| hit(number, stamp));
    leg(&[hit(item), hit(tomb), mark, Answer::Miss, Answer::Miss])
}
