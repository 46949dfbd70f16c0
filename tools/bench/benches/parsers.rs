//! How fast drover reads heads, chunked bodies, ranges and confs.
//!
//! `cargo bench -p bench` measures everything, `cargo bench -p bench -- heads` a group. Criterion compares each run
//! with the one before; the figures are below target/criterion. Each benchmark checks once that its input is read as it
//! should be.

use std::hint::black_box;

use bench::{
    BATCH, BROWSER, CURL, FILE_SIZE, FIVE_RANGES, MIME_TYPES, ONE_RANGE, STARTING_CONF, chunked, large_conf, pipelined,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use drover::conf::{self, Input, Options, Registry};
use drover::http::HttpConf;
use drover::http::message::head::{Framing, Head, Limits};
use drover::http::message::range::{self, Ranges};
use drover::http::message::request::{self, Parse};
use drover::http::message::request_body::RequestBody;

/// Parses all heads in `input`; returns their number.
fn parse_heads(head: &mut Head, mut input: &[u8], limits: &Limits) -> usize {
    let mut count = 0;
    while !input.is_empty() {
        head.clear();
        match request::parse(head, input, limits) {
            Ok(Parse::Complete(length)) => input = &input[length..],
            other => panic!("{other:?}"),
        }
        count += 1;
    }
    count
}

fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("heads");
    let limits = Limits::default();
    let batch = pipelined();
    for (name, input, count) in [("curl", CURL, 1), ("browser", BROWSER, 1), ("pipelined", &batch, BATCH)] {
        let mut head = Head::default();
        assert_eq!(parse_heads(&mut head, input, &limits), count);
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(name, |b| b.iter(|| parse_heads(&mut head, black_box(input), &limits)));
    }
}

/// Decodes a chunked body that arrives at once; returns the bytes of content.
fn decode(input: &[u8]) -> usize {
    let mut body = RequestBody::new(Framing::Chunked, 0).expect("any length is allowed");
    body.feed(input).map_or(0, |fed| fed.content)
}

fn bodies(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunked bodies");
    for (name, size) in [("1 KiB", 1 << 10), ("64 KiB", 64 << 10)] {
        let input = chunked(size, 16);
        assert_eq!(decode(&input), size);
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(name, |b| b.iter(|| decode(black_box(&input))));
    }
}

fn ranges(c: &mut Criterion) {
    let mut group = c.benchmark_group("ranges");
    for (count, field) in [(1, ONE_RANGE), (5, FIVE_RANGES)] {
        let parse = || range::parse(black_box(field), FILE_SIZE, None);
        assert!(matches!(parse(), Ranges::Satisfiable(found) if found.len() == count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| b.iter(parse));
    }
}

/// Reads a conf and compiles its http block, as a start or a reload does.
fn load(registry: &Registry, text: &str) -> HttpConf {
    let options = Options { prefix: "/nowhere".to_owned(), built_in: &[MIME_TYPES], ..Options::default() };
    let conf = conf::load(registry, Input::text("conf", text), &options).expect("a valid conf");
    HttpConf::new(&conf).unwrap_or_else(|error| panic!("{}", conf.explain(error)))
}

fn confs(c: &mut Criterion) {
    let mut group = c.benchmark_group("confs");
    let registry = drover::cli::registry();
    let large = large_conf(200);
    for (name, text) in [("drover.conf", STARTING_CONF), ("200 servers", &large)] {
        assert_eq!(load(&registry, text).sockets.len(), 1);
        group.bench_function(name, |b| b.iter_with_large_drop(|| load(&registry, black_box(text))));
    }
}

criterion_group!(parsers, heads, bodies, ranges, confs);
criterion_main!(parsers);
