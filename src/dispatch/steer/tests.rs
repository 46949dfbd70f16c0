use super::*;
use crate::os::{Addr, ListenOptions, connect_all};
use std::net::{SocketAddr, TcpStream};

/// No test takes as long; a beat of 0 is silent all the same.
const LEASE_MS: u64 = 30_000;

fn model(workers: u32) -> LeastConnections {
    LeastConnections::new(workers, LEASE_MS).unwrap_or_else(|refusal| panic!("{}", advise(refusal.failure)))
}

fn listeners(count: usize) -> Vec<Listener> {
    let options = ListenOptions { reuseport: true, ..ListenOptions::default() };
    let any = Addr::from("127.0.0.1:0".parse::<SocketAddr>().unwrap());
    let probe = Listener::open(&any, &options).unwrap();
    // By number: a port that the kernel has chosen is lost when a socket stops.
    let open = |_| Listener::open(probe.addr(), &options).unwrap();
    (0..count).map(open).collect()
}

fn connect(listeners: &[Listener]) -> Vec<TcpStream> {
    connect_all(listeners[0].addr().to_string().parse().unwrap(), 3, listeners)
}

fn group<'a>(listeners: &'a [Listener], array: &'a SocketArray, may_stop: bool) -> SocketGroup<'a> {
    let addr = listeners[0].addr();
    SocketGroup { addr, listeners: listeners.iter().collect(), array, backlog: 16, may_stop }
}

#[test]
fn a_socket_that_a_killed_service_has_left_in_its_array_is_taken_over() {
    let listeners = listeners(2);
    let old = SocketArray::create(2).unwrap();
    model(2).steer(&group(&listeners, &old, true)).unwrap();
    // The service is gone, and a service manager has the sockets.
    drop(old);
    let new = SocketArray::create(2).unwrap();
    assert_eq!(new.put(0, &listeners[0]).unwrap_err().raw_os_error(), Some(libc::EBUSY));
    model(2).steer(&group(&listeners, &new, true)).unwrap();
    assert!(new.has(0, &listeners[0]) && new.has(1, &listeners[1]));
}

#[test]
fn the_queue_of_a_silent_worker_is_moved_unless_all_are_silent_or_its_socket_may_not_stop() {
    let (model, listeners, array) = (model(2), listeners(2), SocketArray::create(2).unwrap());
    let load = |number: usize| Load::of(&model.loads[number]);
    let listen = || [0, 1].map(|n: usize| listeners[n].is_listening());
    let (fixed, movable) = (group(&listeners, &array, false), group(&listeners, &array, true));
    model.steer(&movable).unwrap();
    load(0).publish(0, Room::Free);
    load(1).publish(9, Room::Free);
    let _clients = connect(&listeners);
    assert_eq!(listeners[0].queue_length().unwrap(), 3);
    load(0).clear();
    load(1).clear();
    assert!(model.care(std::slice::from_ref(&movable)).is_some());
    assert_eq!(listen(), [true, true], "all are silent");
    load(1).beat();
    model.care(std::slice::from_ref(&fixed));
    assert_eq!((listen(), load(0).is_moved()), ([true, true], false));
    load(1).beat();
    model.care(std::slice::from_ref(&movable));
    assert_eq!((listen(), load(0).is_moved()), ([false, true], true));
    assert_eq!(listeners[1].queue_length().unwrap(), 3, "it has all of them");
    model.care(std::slice::from_ref(&movable));
    assert_eq!(listen(), [false, true], "still silent");
    load(0).beat();
    load(1).beat();
    model.care(std::slice::from_ref(&movable));
    assert_eq!((listen(), load(0).is_moved(), array.has(0, &listeners[0])), ([true, true], false, true));
    // Before a reload or an upgrade all listen, silent or not.
    load(0).publish(0, Room::Free);
    let _more = connect(&listeners);
    load(0).clear();
    load(1).beat();
    model.care(std::slice::from_ref(&movable));
    assert_eq!(listen(), [false, true]);
    model.settle(std::slice::from_ref(&movable));
    assert_eq!((listen(), load(0).is_moved()), ([true, true], false));
}

#[test]
fn a_queue_is_not_moved_before_the_worker_that_is_to_have_it_listens_again() {
    let (model, listeners, array) = (model(2), listeners(2), SocketArray::create(2).unwrap());
    let load = |number: usize| Load::of(&model.loads[number]);
    let group = group(&listeners, &array, true);
    model.steer(&group).unwrap();
    let queues = || [0, 1].map(|n: usize| listeners[n].queue_length().unwrap());
    // Worker 1 is silent, and its queue is moved.
    load(0).publish(9, Room::Free);
    load(1).publish(0, Room::Free);
    let _clients = connect(&listeners);
    load(0).beat();
    load(1).clear();
    model.care(std::slice::from_ref(&group));
    assert_eq!((queues(), load(1).is_moved()), ([3, 0], true));
    // Now it goes on, and the other one is silent.
    load(0).clear();
    load(1).publish(0, Room::Free);
    load(1).beat();
    model.care(std::slice::from_ref(&group));
    assert_eq!((queues(), [0, 1].map(|n: usize| listeners[n].is_listening())), ([0, 3], [false, true]));
}

#[test]
fn who_has_just_died_has_a_lease_s_time_for_a_successor() {
    let model = model(2);
    let now_ns = coarse_ns() + (LEASE_MS - 5000) * NS_PER_MS;
    let is_silent = |at_ns| model.is_silent(0, model.seats.lock().unwrap()[0], at_ns);
    assert!(!is_silent(now_ns));
    model.child_died(Seat { role: crate::shm::Role::Worker, number: 0 }, 7);
    assert_eq!(Load::of(&model.loads[0]).last_beat_ns(), 0);
    assert!(!is_silent(now_ns) && is_silent(now_ns + LEASE_MS * NS_PER_MS));
}
