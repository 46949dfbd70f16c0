use super::*;

const RATE: u64 = 10_000;

fn zone(bytes: u64) -> shm::Zone {
    shm::Zone::create("drover-test", bytes).unwrap()
}

/// The verdicts on requests at these times.
fn verdicts(burst: u64, times: &[u64]) -> Vec<Verdict> {
    let zone = zone(32 << 10);
    let mut table = zone.lock().unwrap();
    times.iter().map(|now| look_up(&mut table, b"a", RATE, burst, *now, true)).collect()
}

#[test]
fn the_bucket_leaks_at_the_rate() {
    use Verdict::{Busy, Counted};
    // Ten a second: one more each 100 ms is never over the rate.
    assert_eq!(verdicts(0, &[1000, 1100, 1200]), [Counted(0), Counted(0), Counted(0)]);
    // A refused request is not counted: the time goes on from the last one that was.
    assert_eq!(verdicts(0, &[1000, 1050, 1099, 1100]), [Counted(0), Busy(500), Busy(10), Counted(0)]);
    assert_eq!(
        verdicts(2000, &[1000, 1000, 1000, 1000, 1030, 1101]),
        [Counted(0), Counted(1000), Counted(2000), Busy(3000), Busy(2700), Counted(1990)]
    );
    // Another process's clock may be a little ahead; far ahead it was set.
    assert_eq!(verdicts(2000, &[1000, 990, 1000]), [Counted(0), Counted(1000), Counted(2000)]);
    assert_eq!(verdicts(2000, &[100_000, 1000, 1001]), [Counted(0), Counted(990), Counted(1980)]);
    assert_eq!(excess(u64::MAX, 1, 0), u64::MAX, "numbers of any size are no fault");
    // A request a minute is 16 thousandths a second.
    assert_eq!((excess(0, 16, 62), excess(0, 16, 63), excess(1000, 16, 60_000)), (1000, 999, 1040));
}

#[test]
fn delays_are_the_time_until_the_rate_is_kept() {
    let limit = |delay| Limit { zone: test_zone(), burst: 5000, delay };
    for (excess, delayed_from, ms) in
        [(0, 0, 0), (1000, 0, 100), (1999, 0, 199), (1000, 1000, 0), (3500, 2000, 150), (9000, u64::MAX, 0)]
    {
        assert_eq!(delay(excess, &limit(delayed_from), RATE), ms, "{excess} {delayed_from}");
    }
}

static HTTP: conf::Section =
    conf::Section::new("http").contexts(Contexts::MAIN).inner(Contexts::HTTP).about("As in the real registry.");

/// A conf with these directives in `http`.
fn conf_of(text: &str) -> conf::Conf {
    static ENTRIES: &[&[&dyn conf::Entry]] = &[&[&HTTP], DIRECTIVES];
    conf::parse(&conf::Registry::new(ENTRIES), &format!("http {{ {text} }}")).unwrap()
}

fn test_zone() -> Arc<Zone> {
    let conf = conf_of("limit_req zone=a; limit_req_zone $uri zone=a:32k rate=10r/s;");
    let http = conf.root.children_of(&HTTP).next().unwrap();
    http.scope.get(&LIMIT_REQ)[0].zone.clone()
}

#[test]
fn a_reload_keeps_a_zone_of_the_same_size_and_refuses_another_key() {
    let made = |text: &str, before: &Zones| {
        let conf = conf_of(&format!("limit_req zone=a; {text}"));
        let zones = conf.notes::<Zones>().cloned().unwrap();
        let http = conf.root.children_of(&HTTP).next().unwrap();
        let zone = http.scope.get(&LIMIT_REQ)[0].zone.clone();
        zones.make(before).map(|()| (zones, zone))
    };
    let memory = |zone: &Zone| Arc::as_ptr(zone.ready().unwrap().1);
    let (first, a) = made("limit_req_zone $uri zone=a:32k rate=1r/s;", &Zones::default()).unwrap();
    let (_, same) = made("limit_req_zone $uri zone=a:32k rate=9r/s;", &first).unwrap();
    assert!(memory(&a) == memory(&same) && same.ready().unwrap().0.rate == 9000);
    let (_, larger) = made("limit_req_zone $args zone=a:64k rate=1r/s;", &first).unwrap();
    assert_ne!(memory(&a), memory(&larger));
    assert_eq!(
        made("limit_req_zone $args zone=a:32k rate=1r/s;", &first).unwrap_err(),
        "limit_req \"a\" uses the \"$args\" key while previously it used the \"$uri\" key"
    );
}

#[test]
fn a_request_that_another_limit_refuses_is_not_counted() {
    let zone = zone(32 << 10);
    let mut table = zone.lock().unwrap();
    let look = |table: &mut Table, now, counts| look_up(table, b"a", RATE, 1000, now, counts);
    let Verdict::Noted(noted) = look(&mut table, 1000, false) else { panic!("not noted") };
    assert_eq!(table.state(noted.entry), State { last_ms: 0, excess: 0, count: 1 });
    forget_noted(&mut table, noted);
    assert_eq!(table.state(noted.entry).count, 0);
    assert_eq!(look(&mut table, 1000, true), Verdict::Counted(0));
    let Verdict::Noted(noted) = look(&mut table, 1000, false) else { panic!("not noted") };
    assert_eq!(count_noted(&mut table, noted, RATE, 1000), 1000);
    assert_eq!(look(&mut table, 1000, true), Verdict::Busy(2000));
}

#[test]
fn old_entries_are_forgotten_two_at_a_time_and_by_force_the_oldest() {
    let zone = zone(32 << 10);
    let mut table = zone.lock().unwrap();
    let look = |table: &mut Table, key: &str, now| look_up(table, key.as_bytes(), RATE, 0, now, true);
    for key in ["a", "b", "c"] {
        look(&mut table, key, 1000);
    }
    look(&mut table, "d", 60_999);
    assert!(table.find(b"a").is_some(), "it was used in the last minute");
    look(&mut table, "e", 61_000);
    let there = |table: &Table, key: &str| table.find(key.as_bytes()).is_some();
    assert_eq!(["a", "b", "c", "d"].map(|key| there(&table, key)), [false, false, true, true]);
    let full = (0..).find(|n| {
        look(&mut table, &format!("full{n}"), 60_990);
        !there(&table, "c")
    });
    assert!(full.is_some_and(|n| n > 300), "the zone is full of new ones, of which the oldest goes");
    assert!(there(&table, "d"));
    look(&mut table, "one more", 60_990);
    assert!(!there(&table, "d"), "whatever it has");
}

#[test]
fn an_entry_that_waits_for_a_verdict_is_not_forgotten() {
    let zone = zone(32 << 10);
    let mut table = zone.lock().unwrap();
    assert!(matches!(look_up(&mut table, b"a", RATE, 0, 1000, false), Verdict::Noted(_)));
    let mut fill = (0..100_000).map(|n: u32| look_up(&mut table, &n.to_le_bytes(), RATE, 0, 1000, true));
    assert!(fill.any(|verdict| verdict == Verdict::Full(true)));
    assert!(table.find(b"a").is_some());
}
