//! `disable_symlinks outside`: links lead to what lies beneath the root, and nowhere else, in every place that looks a
//! file up; and kernels without openat2(2).

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::conf::Conf;
use crate::support::seccomp::Refusal;
use crate::support::server::{Product, Server, Setup};

/// The errors of openat2 in a kernel before 5.6, and under a filter of system calls that is older than the call.
const WITHOUT_OPENAT2: [i32; 2] = [libc::ENOSYS, libc::EPERM];

const DRIVERS: [&str; 4] = ["exclusive", "prefork worker_threads=1", "thread_pool worker_threads=1", "fork fork_max=4"];

const LOCATIONS: &str = "disable_symlinks outside; gzip_static on; \
    location /tried/ { alias %root%/; try_files $uri /page =404; } \
    location /if { if (-f %root%$arg_f) { return 200 file; } if (-d %root%$arg_f) { return 200 directory; } \
        return 200 nothing; } \
    location /list/ { alias %root%/; index none; autoindex on; } \
    location /any/ { alias %root%/; random_index on; } \
    location /failed/ { error_page 404 =200 /out; return 404; } \
    location /slip { alias %root%/; } \
    location ~ ^/named/(.*) { alias %root%/$1; } \
    location /part/ { alias %root%/; disable_symlinks outside from=%root%/dir; } \
    location /none/ { alias %root%/; disable_symlinks outside from=$arg_none; }";

fn lay_out(server: &Server) {
    let root = server.dir().join("root");
    for dir in ["outside", "root/shut"] {
        fs::create_dir(server.dir().join(dir)).expect("mkdir");
    }
    for name in ["page", "page.gz", "index.html", "secret-name"] {
        fs::write(server.dir().join("outside").join(name), "OUTSIDE").expect("write");
    }
    server.file("page", "inside").file("dir/page", "inside").file("dir/index.html", "inside");
    for (link, target) in [
        ("in", "dir/page"),
        ("dir/up", "../page"),
        ("indir", "dir"),
        ("around", "dir/../dir/../page"),
        ("out", "../outside/page"),
        ("outdir", "../outside"),
        ("page.gz", "../outside/page.gz"),
        ("back", "../root/page"),
        ("circle", "circle"),
        ("none", "nothing"),
        ("shut/index.html", "../../outside/index.html"),
    ] {
        symlink(target, root.join(link)).expect("symlink");
    }
    symlink(root.join("page"), root.join("absolute")).expect("symlink");
}

#[test]
fn links_that_lead_out_are_refused_in_every_place_and_others_are_followed() {
    for dispatch in DRIVERS {
        for more in ["", "aio threads;", "open_file_cache max=100; open_file_cache_errors on;"] {
            let conf = Conf::workers(1).dispatch(dispatch).server(&format!("{more} {LOCATIONS}"));
            let server = Server::drover(conf);
            lay_out(&server);
            let mut client = server.connect();
            for (target, expected) in [
                ("/page", Ok("inside")),
                ("/in", Ok("inside")),
                ("/dir/up", Ok("inside")),
                ("/indir/page", Ok("inside")),
                ("/indir/", Ok("inside")),
                ("/indir/up", Ok("inside")),
                ("/around", Ok("inside")),
                ("/out", Err(403)),
                ("/outdir/page", Err(403)),
                ("/outdir/", Err(403)),
                // Out and in again.
                ("/back", Err(403)),
                ("/absolute", Err(403)),
                ("/circle", Err(403)),
                ("/none", Err(404)),
                ("/shut/", Err(403)),
                ("/tried/in", Ok("inside")),
                ("/tried/out", Ok("inside")),
                ("/if?f=/in", Ok("file")),
                ("/if?f=/indir", Ok("directory")),
                ("/if?f=/out", Ok("nothing")),
                ("/if?f=/outdir", Ok("nothing")),
                ("/list/outdir/", Err(403)),
                ("/any/outdir/", Err(403)),
                ("/failed/", Err(403)),
                ("/slip../outside/page", Err(404)),
                ("/slippage", Ok("inside")),
                ("/named/in", Ok("inside")),
                ("/named/out", Err(403)),
                ("/part/dir/page", Ok("inside")),
                ("/part/dir/up", Err(403)),
                ("/part/page", Err(403)),
                ("/none/page", Err(403)),
            ] {
                client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"));
                let answer = client.response().expect("an answer");
                let text = answer.text();
                assert!(!text.contains("OUTSIDE") && !text.contains("secret"), "{dispatch} {more} {target}: {text}");
                let found = if answer.status == 200 { Ok(text.as_str()) } else { Err(answer.status) };
                assert_eq!(found, expected, "{dispatch} {more} {target}");
            }
            let list = client.get("/list/").text();
            for name in ["in", "indir/", "out", "outdir", "absolute"] {
                assert!(list.contains(&format!("<a href=\"{name}\">")), "{dispatch} {more} {name}: {list}");
            }
        }
    }
}

/// The walk from directory to directory is there on any kernel.
#[test]
fn links_are_refused_without_openat2_as_well() {
    for error in WITHOUT_OPENAT2 {
        let conf = Conf::workers(1).server("location /all/ { alias %root%/; disable_symlinks on from=%root%; }");
        let server = Setup::new(Product::Drover, conf).refusing(openat2(error)).start();
        lay_out(&server);
        let mut client = server.connect();
        for (target, status) in [("page", 200), ("dir/page", 200), ("in", 403), ("indir/page", 404), ("nothing", 404)] {
            assert_eq!(client.get(&format!("/all/{target}")).status, status, "{target} {error}");
        }
    }
}

#[test]
fn without_openat2_a_conf_that_takes_it_is_refused() {
    for error in WITHOUT_OPENAT2 {
        let conf = Conf::workers(1).server("disable_symlinks outside;");
        let mut server = Setup::new(Product::Drover, conf).refusing(openat2(error)).spawn();
        assert_eq!(server.wait().code(), Some(1));
        let said = server.stderr();
        assert!(said.contains("\"outside\" takes openat2()"), "{said}");
    }
}

fn openat2(error: i32) -> Refusal {
    Refusal { call: libc::SYS_openat2, argument: 0, mask: 0, value: 0, error }
}
