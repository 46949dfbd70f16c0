//! The frames that steer a connection: PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE (RFC 9113, sections
//! 6.3 to 6.9).

use super::{Connection, DRAIN_PING, Event};
use crate::http::h2::fault::{Counted, Fault};
use crate::http::h2::frame::{self, Head, Kind, MAX_31};
use crate::http::h2::streams::Closed;

/// The bounds of MAX_FRAME_SIZE (RFC 9113, section 6.5.2).
const FRAME_SIZES: std::ops::RangeInclusive<u32> = 1 << 14..=(1 << 24) - 1;

fn number(payload: &[u8]) -> Option<u32> {
    payload.try_into().ok().map(u32::from_be_bytes)
}

impl<S> Connection<S> {
    /// An advice, which is not followed (RFC 9113, section 5.3.2).
    pub(super) fn take_priority(&mut self, head: Head) -> Result<Event<S>, Fault> {
        if head.stream == 0 {
            return Err(Fault::Identifier(Kind::Priority, 0));
        }
        // A stream error by RFC 9113, section 6.3; but the stream may be idle, and an idle one can't be reset.
        if head.len != 5 {
            return Err(Fault::Length(Kind::Priority, head.len));
        }
        self.guard.count(Counted::Priority).map(|()| Event::Nothing)
    }

    pub(super) fn take_reset(&mut self, head: Head, payload: &[u8]) -> Result<Event<S>, Fault> {
        let Some(code) = number(payload) else { return Err(Fault::Length(Kind::RstStream, head.len)) };
        if head.stream == 0 {
            return Err(Fault::Identifier(Kind::RstStream, 0));
        }
        self.check_not_idle(Kind::RstStream, head.stream)?;
        let Some(at) = self.streams.find(head.stream) else {
            self.streams.forget_rest(head.stream);
            return self.guard.count(Counted::Ignored).map(|()| Event::Nothing);
        };
        self.guard.count(Counted::Reset)?;
        let stream = self.streams.close(at, Closed::ByClient);
        Ok(stream.map_or(Event::Nothing, |stream| Event::Reset(stream.data, code)))
    }

    pub(super) fn take_settings(&mut self, head: Head, payload: &[u8], out: &mut Vec<u8>) -> Result<Event<S>, Fault> {
        if head.stream != 0 {
            return Err(Fault::Identifier(Kind::Settings, head.stream));
        }
        if head.has(frame::ACK) {
            if head.len != 0 {
                return Err(Fault::AckedSettings);
            }
            self.is_acknowledged = true;
            return self.guard.count(Counted::Ignored).map(|()| Event::Nothing);
        }
        let (settings, []) = payload.as_chunks::<6>() else { return Err(Fault::Length(Kind::Settings, head.len)) };
        self.guard.count(Counted::Settings)?;
        for [i0, i1, v0, v1, v2, v3] in settings {
            self.set(u16::from_be_bytes([*i0, *i1]), u32::from_be_bytes([*v0, *v1, *v2, *v3]))?;
        }
        self.has_settings = true;
        frame::put_settings_ack(out);
        Ok(Event::Nothing)
    }

    fn set(&mut self, setting: u16, value: u32) -> Result<(), Fault> {
        match setting {
            1 => self.encoder.table_size_changed(),
            2 if value > 1 => return Err(Fault::SettingValue("ENABLE_PUSH", value)),
            4 if value > MAX_31 => return Err(Fault::SettingValue("INITIAL_WINDOW_SIZE", value)),
            4 => {
                let by = i64::from(value) - i64::from(self.stream_window);
                self.stream_window = value;
                // RFC 9113, section 6.9.2.
                if !self.streams.iter_mut().fold(true, |fits, stream| fits & stream.send_window.change(by)) {
                    return Err(Fault::WindowOverflow(0));
                }
            }
            5 if !FRAME_SIZES.contains(&value) => return Err(Fault::SettingValue("MAX_FRAME_SIZE", value)),
            5 => self.max_payload = value as usize,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn take_ping(&mut self, head: Head, payload: &[u8], out: &mut Vec<u8>) -> Result<Event<S>, Fault> {
        let Ok(data) = <[u8; 8]>::try_from(payload) else { return Err(Fault::Length(Kind::Ping, head.len)) };
        if head.stream != 0 {
            return Err(Fault::Identifier(Kind::Ping, head.stream));
        }
        self.guard.count(Counted::Ping)?;
        if !head.has(frame::ACK) {
            frame::put_ping(out, frame::ACK, data);
            return Ok(Event::Nothing);
        }
        Ok(if data == DRAIN_PING && self.is_ending() { Event::DrainSeen } else { Event::Nothing })
    }

    /// The client takes no pushes any more, of which there are none.
    pub(super) fn take_goaway(&mut self, head: Head) -> Result<Event<S>, Fault> {
        if head.len < 8 {
            return Err(Fault::Length(Kind::GoAway, head.len));
        }
        if head.stream != 0 {
            return Err(Fault::Identifier(Kind::GoAway, head.stream));
        }
        self.guard.count(Counted::Ignored).map(|()| Event::Nothing)
    }

    pub(super) fn take_window_update(
        &mut self,
        head: Head,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Event<S>, Fault> {
        let Some(by) = number(payload) else { return Err(Fault::Length(Kind::WindowUpdate, head.len)) };
        let (id, by) = (head.stream, by & MAX_31);
        self.guard.count(Counted::WindowUpdate)?;
        if id == 0 {
            return match by {
                0 => Err(Fault::WindowIncrement(0)),
                by if self.send_window.change(by.into()) => Ok(Event::Nothing),
                _ => Err(Fault::WindowOverflow(0)),
            };
        }
        self.check_not_idle(Kind::WindowUpdate, id)?;
        let Some(stream) = self.streams.find(id).and_then(|at| self.streams.get_mut(at)) else {
            return Ok(Event::Nothing);
        };
        match by {
            0 => self.fail_stream(id, Fault::WindowIncrement(id), out),
            by if stream.send_window.change(by.into()) => Ok(Event::Nothing),
            _ => self.fail_stream(id, Fault::WindowOverflow(id), out),
        }
    }
}
