//! Events taken from epoll and put off (ngx_posted_accept_events, ngx_posted_events): while a worker holds the accept
//! mutex, accepts run first, then the mutex is released, then the other events.

use std::collections::VecDeque;

use super::Ready;

/// The two queues of one turn. Their memory is kept from turn to turn.
#[derive(Debug, Default)]
pub struct Posted {
    accepts: VecDeque<u32>,
    events: VecDeque<(u64, Ready)>,
}

impl Posted {
    /// Listening socket `listener` has something to accept.
    pub fn accept(&mut self, listener: u32) {
        self.accepts.push_back(listener);
    }

    /// Connection `key` is ready.
    pub fn event(&mut self, key: u64, ready: Ready) {
        self.events.push_back((key, ready));
    }

    /// The oldest accept.
    pub fn next_accept(&mut self) -> Option<u32> {
        self.accepts.pop_front()
    }

    /// Forgets the accepts of some sockets: their connections will be reported again, to the worker that listens then.
    pub fn retain_accepts(&mut self, is_kept: impl Fn(u32) -> bool) {
        self.accepts.retain(|n| is_kept(*n));
    }

    /// The oldest event.
    pub fn next_event(&mut self) -> Option<(u64, Ready)> {
        self.events.pop_front()
    }

    /// How many accepts and events wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.accepts.len(), self.events.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_queue_is_first_in_first_out() {
        let mut posted = Posted::default();
        posted.event(10, Ready::READ);
        posted.accept(1);
        posted.event(11, Ready::WRITE);
        posted.accept(0);
        assert_eq!(posted.waiting(), (2, 2));
        assert_eq!([posted.next_accept(), posted.next_accept(), posted.next_accept()], [Some(1), Some(0), None]);
        assert_eq!(posted.next_event(), Some((10, Ready::READ)));
        assert_eq!(posted.next_event(), Some((11, Ready::WRITE)));
        assert_eq!(posted.next_event(), None);
    }
}
