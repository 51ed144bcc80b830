use super::*;
use crate::config::Config;

#[test]
fn a_home_that_others_left_is_told_of_once_and_so_is_its_return() {
    let told = |own_trouble: bool| {
        let mut absence = Absence::default();
        let steps = [
            (Phase::Home, true),
            (Phase::Fenced, !own_trouble),
            (Phase::StandIn, !own_trouble),
            (Phase::StandIn, true),
            (Phase::Closing, true),
            (Phase::Home, true),
            (Phase::Home, true),
        ];
        steps.map(|(phase, up)| absence.news(phase, up))
    };
    assert_eq!(told(false), [false, false, true, false, false, true, false]);
    assert_eq!(told(true), [false; 7], "the server's own line said it");
    let mut absence = Absence::default();
    let both = [(Phase::StandIn, true), (Phase::StandIn, false), (Phase::Home, true)];
    assert_eq!(both.map(|(phase, up)| absence.news(phase, up)), [true, false, true], "what was told ends");
}

#[test]
fn a_change_of_the_list_forgets_nothing_that_was_told() {
    let mut config = Config::default();
    (1..=2).for_each(|n| config.add_server(&format!("name=s{n};addr=127.0.0.1:{n}")).unwrap());
    config.add_table("t=>").unwrap();
    let shared = Shared::create(config).unwrap();
    let mut ushers = Ushers::new(shared);
    let seat = |phase: u64| shared.server_cell(0).seat.learn(Seat(40 + phase));
    let told = |ushers: &mut Ushers| {
        let mut news = Vec::new();
        ushers.news(&mut news);
        news
    };
    ushers.follow(&shared.layout());
    seat(2);
    assert_eq!(told(&mut ushers), [Event::SeatLeft { home: 0, stand_in: 1 }]);
    ushers.follow(&shared.layout());
    assert_eq!(told(&mut ushers), []);
    seat(4);
    assert_eq!(told(&mut ushers), [Event::SeatBack { home: 0 }]);
}

#[test]
fn a_seat_only_grows_and_a_reading_is_young_for_a_while() {
    let cell = SeatCell::default();
    cell.read(Seat(40), 1_000);
    cell.read(Seat(38), 900);
    assert_eq!(cell.look(1_150, 150), (Seat(40), true));
    cell.learn(Seat(41));
    assert_eq!(cell.look(1_151, 150), (Seat(41), false));
    cell.clear();
    assert_eq!(cell.look(1_151, 150), (Seat::UNKNOWN, false));
}
