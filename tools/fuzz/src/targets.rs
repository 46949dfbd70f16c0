//! The targets: each checks properties that must hold whatever the input.

mod conf;
mod engine;
mod h2;
mod hello;
mod pieces;
mod proxy;

use crate::target::Target;

pub(crate) static TARGETS: &[Target] = &[
    pieces::REQUEST,
    pieces::CHUNKED,
    pieces::URI,
    pieces::RANGE,
    pieces::REGEX,
    proxy::PROXY,
    h2::FRAMING,
    h2::HPACK,
    hello::HELLO,
    conf::CONF,
    engine::ENGINE,
];
