//! Variables about the connection and all connections of the service.

use super::cx::{Cx, Embedded, Stage};
use super::variables::{number, seconds};
use crate::shm::Sums;

/// Counts the request that asks as one that is being answered, which its worker publishes only if that takes longer
/// than a turn. A connection that was accepted in this very turn is not among those open yet.
pub(in crate::http) fn count_asker(sums: &mut Sums, published: Stage) {
    match published {
        Stage::Waiting => {}
        Stage::Reading => sums.reading = sums.reading.saturating_sub(1),
        Stage::Writing => sums.writing = sums.writing.saturating_sub(1),
    }
    sums.writing += 1;
    sums.connections = sums.connections.max(sums.reading + sums.writing);
}

/// A number of connections of all processes, as `stub_status` has it.
fn count(cx: &Cx, out: &mut Vec<u8>, of: fn(&Sums) -> u64) -> bool {
    let Some(ledger) = cx.ledger else { return false };
    let mut sums = ledger.sums();
    sums.clamp_negatives();
    count_asker(&mut sums, cx.conn.published);
    number(out, of(&sums))
}

/// A number that the kernel keeps of a TCP connection.
fn tcp(cx: &Cx, out: &mut Vec<u8>, of: usize) -> bool {
    cx.conn.tcp.as_ref().is_some_and(|tcp| number(out, tcp[of].into()))
}

/// The variables of this file.
pub static VARIABLES: &[Embedded] = &[
    Embedded::ours("connection_time", "seconds with ms since the connection was accepted", |_, cx, out| {
        seconds(out, cx.clock.now_ms().saturating_sub(cx.conn.opened_ms))
    }),
    Embedded::ours("connections_active", "connections that are open, in all processes", |_, cx, out| {
        count(cx, out, |sums| sums.connections)
    }),
    Embedded::ours("connections_reading", "connections on which a request is arriving", |_, cx, out| {
        count(cx, out, |sums| sums.reading)
    }),
    Embedded::ours("connections_waiting", "connections on which no request has begun", |_, cx, out| {
        count(cx, out, Sums::waiting)
    }),
    Embedded::ours("connections_writing", "connections on which an answer is on its way", |_, cx, out| {
        count(cx, out, |sums| sums.writing)
    }),
    Embedded::ours("tcpinfo_rcv_space", "room for bytes of the client, as the kernel says", |_, cx, out| {
        tcp(cx, out, 3)
    }),
    Embedded::ours("tcpinfo_rtt", "round trip time, µs", |_, cx, out| tcp(cx, out, 0)),
    Embedded::ours("tcpinfo_rttvar", "variation of the round trip time, µs", |_, cx, out| tcp(cx, out, 1)),
    Embedded::ours("tcpinfo_snd_cwnd", "segments that may be on their way to the client", |_, cx, out| tcp(cx, out, 2)),
];
