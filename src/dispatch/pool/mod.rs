//! The process pools: a dispatcher that watches the listening sockets, workers that serve, and between them channels
//! (pairs of SEQPACKET sockets) and a table in shared memory. The master makes all of them before the fork, and they
//! belong to a seat: a process that takes a dead one's seat takes its ends of the channels as well, with the messages
//! in flight in them.
//!
//! - `pool_notify`: a channel for each worker, along which the dispatcher tells that a connection waits
//!   (`NotifyPolicy`).
//! - `pool_pass`: a channel for each worker, along which the dispatcher passes accepted connections (`PassPolicy`,
//!   `ChannelReader`).
//! - `pool_queue`: one channel for all workers (the same, with `Readers::All`).
//!
//! # A message, edge by edge
//!
//! ```text
//! state      event                              method                              next
//! none       a connection waits at a socket, a  DispatchPolicy::on_readable,        in flight
//!            worker has room                    Dispatcher::send
//! none       no worker has room                 Dispatcher::request_room            none: the dispatcher stops
//!                                                                                   listening
//! in flight  the worker reads it                PoolShared::take, from              taken
//!                                               ChannelReader::take_one or
//!                                               Notified::own_event
//! in flight  the worker dies                    Model::child_died                   in flight: its successor on the
//!                                                                                   seat takes it
//! in flight  a worker dies while it takes it    Dispatcher::prepare, recount_sent   gone, with its connection
//! in flight  the last process of the            PoolShared::ended                   gone, counted in the log
//!            generation ends
//! ```
//!
//! # Room, edge by edge
//!
//! The load of a worker: the connections that it has open by the ledger, and the messages in flight to it. The
//! dispatcher sends nothing to a worker without free slots.
//!
//! ```text
//! dispatcher  event                              method                             next
//! listening   no worker has room for the next    request_room: `room_wanted` = 1,   wants room: the surplus waits in
//!             connection                         workers with idle clients are      the backlog
//!                                                woken
//! wants room  a worker has a free slot           PoolShared::offer_room:            listening
//!                                                `room_wanted` = 0, the dispatcher
//!                                                is woken
//! wants room  accept_mutex_delay is over         prepare: looks for room itself,    listening, or wants room
//!                                                in case that worker has died
//! ```
//!
//! A worker without free slots doesn't watch its channel, and closes nobody while the dispatcher is content. So no more
//! messages may be in flight than there is room for: a message is in flight from before it is sent until its connection
//! is in the ledger, whatever the dispatcher finds in the channel meanwhile. A full worker that finds messages all the
//! same makes room for them (`ChannelReader::messages_wait`).
//!
//! # The leaving of a worker, edge by edge
//!
//! ```text
//! worker     event                                 method                                next
//! serving    QUIT                                  PoolShared::leave: `leaving` = pid,   leaving: still takes messages
//!                                                  the dispatcher is woken
//! leaving    the dispatcher has seen that          Dispatcher::confirm: `confirmed` =    confirmed
//!                                                  pid, no message will be sent from
//!                                                  now on
//! leaving    no dispatcher is alive                PoolShared::is_confirmed              confirmed
//! confirmed  no message is in flight, no           ChannelReader::finish                 ended
//!            connection is open
//! ```

mod channel_reader;
mod dispatcher;
mod pass;
mod policy;
mod shared;
#[cfg(test)]
mod tests;

pub(super) use channel_reader::Readers;
pub(super) use dispatcher::{DispatchPolicy, Dispatcher};
pub(super) use pass::passing_pool;
pub(super) use policy::{Chooser, POLICY};
pub(super) use shared::PoolShared;
