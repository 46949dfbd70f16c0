//! `add_header_inherit`, which nginx has from 1.29.3 on.

use crate::support::conf::Conf;
use crate::support::server::Server;

#[test]
fn blocks_inherit_fields_as_they_say() {
    let server = Server::drover(Conf::workers(1).http("add_header X a; add_header X b always;").server(
        "location /usual { return 200; } \
             location /own { add_header X c; return 200; } \
             location /off { add_header_inherit off; return 200; \
                 location /off/own { add_header X d; return 200; } location /off/none { return 200; } } \
             location /merge { add_header_inherit merge; add_header X c; return 200; \
                 location /merge/more { add_header X d; return 200; } \
                 location /merge/none { return 200; } \
                 location /merge/on { add_header_inherit on; add_header X e; return 200; } \
                 location /merge/error { add_header X f; return 403; } \
                 location /merge/if { add_header X g; if ($arg_a) { add_header X h; } } }",
    ));
    server.file("merge/if", "hello");
    let mut client = server.connect();
    let mut fields = |target: &str| {
        let response = client.get(target);
        let values = response.headers.iter().filter(|(name, _)| name == "X").map(|(_, value)| value.as_str());
        values.collect::<String>()
    };
    for (target, values) in [
        ("/usual", "ab"),
        ("/own", "c"),
        ("/off", ""),
        ("/off/own", "d"),
        ("/off/none", ""),
        ("/merge", "cab"),
        ("/merge/more", "dcab"),
        ("/merge/none", "cab"),
        ("/merge/on", "e"),
        ("/merge/error", "b"),
        ("/merge/if", "gcab"),
        ("/merge/if?a=1", "hgcab"),
    ] {
        assert_eq!(fields(target), values, "{target}");
    }
}
