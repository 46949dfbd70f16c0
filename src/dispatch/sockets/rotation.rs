//! When a process that shares a listening socket queues up again behind the others that watch the socket.

/// Counts the connections of each socket, and says when the process must queue up again.
///
/// Linux wakes the process that has watched a socket longest (EPOLLEXCLUSIVE), again and again, so that one process
/// would get most of the connections. So a process takes the socket out of its epoll set and puts it in again, behind
/// the others, now and then (nginx 1.21: ngx_reorder_accept_events, every 16 connections).
#[derive(Debug)]
pub(crate) struct Rotation {
    every: u64,
    /// Connections accepted so far, by listening socket.
    accepted: Vec<u64>,
}

impl Rotation {
    /// nginx's number of connections between two rotations.
    pub(crate) const EVERY: u64 = 16;

    /// Every so many connections; 0: never.
    pub(crate) fn new(every: u64) -> Rotation {
        Rotation { every, accepted: Vec::new() }
    }

    /// Whether the process never queues up again.
    pub(crate) fn is_never(&self) -> bool {
        self.every == 0
    }

    /// Counts `count` connections, at least one, that socket `n` has brought. Returns whether the process must queue up
    /// again.
    pub(crate) fn count(&mut self, n: u32, count: u64) -> bool {
        if self.is_never() {
            return false;
        }
        if self.accepted.len() <= n as usize {
            self.accepted.resize(n as usize + 1, 0);
        }
        let Some(accepted) = self.accepted.get_mut(n as usize) else { return false };
        // The first connection rotates as well, as in nginx: `c->requests++ % 16 != 0`.
        let next_turning_point = accepted.div_ceil(self.every) * self.every;
        *accepted += count;
        next_turning_point < *accepted
    }
}

impl Default for Rotation {
    fn default() -> Rotation {
        Rotation::new(Rotation::EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_connection_and_every_sixteenth_after_it_of_each_socket() {
        let mut rotation = Rotation::default();
        for n in [0, 2] {
            let due: Vec<u64> = (0..40).filter(|_| rotation.count(n, 1)).collect();
            assert_eq!(due.len(), 3, "{due:?}");
        }
        let mut rotation = Rotation::default();
        let due: Vec<usize> = (0..40).filter(|_| rotation.count(1, 1)).collect();
        assert_eq!(due, [0, 16, 32]);
        assert_eq!([8, 1, 40, 1].map(|count| rotation.count(1, count)), [false, true, true, false]);
        let mut never = Rotation::new(0);
        assert!((0..40).all(|_| !never.count(0, 1)));
    }
}
