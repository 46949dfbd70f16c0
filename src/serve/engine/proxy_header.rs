//! The header of the PROXY protocol in front of the first request, where `listen` has `proxy_protocol`. It may come in
//! pieces. A connection that has sent it and nothing else is as idle as one that has sent nothing.

use super::Engine;
use crate::http::exchange::{ConnInfo, Cx, error_lines, limits};
use crate::http::message::proxy_protocol::{self, Broken, Parse};
use crate::serve::connection::{Conn, Need};
use crate::serve::session::{Read, Session};
use crate::serve::tls::Wire;
use std::sync::Arc;

/// Takes the header, of `most` bytes at most, off the input. `Ok(false)`: it is not whole.
pub(super) fn take_proxy_header(info: &mut ConnInfo, session: &mut Session, most: usize) -> Result<bool, Broken> {
    match proxy_protocol::parse(session.unread(), most)? {
        Parse::Partial => Ok(false),
        Parse::Complete { len, header } => {
            session.start += len;
            info.proxy = header.map(Arc::from);
            Ok(true)
        }
    }
}

impl Engine {
    /// Takes the header, to `Request`. `None`: the state has changed, or more has come.
    pub(super) fn on_proxy_header(&mut self, conn: &mut Conn, session: &mut Session, hung_up: bool) -> Option<Need> {
        let server = self.site.server(self.site.default_server(conn.info.bound));
        let most = *server.scope.get(&limits::CLIENT_HEADER_BUFFER_SIZE) as usize;
        match take_proxy_header(&mut conn.info, session, most) {
            Ok(true) => {
                conn.state = self.first_state(conn.info.bound);
                self.reset(session);
                return None;
            }
            Ok(false) => {}
            Err(broken) => return Some(self.refuse_proxy_header(conn, &broken)),
        }
        match session.read(wire!(self, conn), hung_up) {
            Read::More => None,
            Read::Nothing if session.is_blank() => Some(Need::Idle),
            Read::Nothing => Some(Need::Read),
            Read::NextTurn => Some(Need::Turn),
            Read::End if session.is_blank() => Some(Need::Close),
            Read::End => Some(self.refuse_proxy_header(conn, &Broken::line(session.unread()))),
            Read::Broken(error) => {
                error_lines::proxy_header_unread(&cx!(self, conn, &[]), &error);
                Some(Need::Close)
            }
        }
    }

    fn refuse_proxy_header(&self, conn: &Conn, broken: &Broken) -> Need {
        error_lines::proxy_header_broken(&cx!(self, conn, &[]), broken);
        Need::Close
    }
}
