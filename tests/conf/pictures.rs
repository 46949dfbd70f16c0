//! What a user is shown of a mistake by `drover -t`: the sentence, the place, the words above the carets, the help.

use std::path::Path;
use std::process::Command;

/// One message, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    level: String,
    /// With its place, as in the error log.
    sentence: String,
    /// `LINE:COLUMN`
    at: String,
    /// The text that the carets mark.
    marked: String,
    help: String,
}

/// The messages of `drover -t` with this conf, `%dir%` being the directory of the conf, whose name is left out of what comes
/// back.
fn said(dir: &Path, text: &str) -> (bool, Vec<Message>) {
    said_with(dir, text, &[])
}

fn said_with(dir: &Path, text: &str, args: &[&str]) -> (bool, Vec<Message>) {
    let file = dir.join("c.conf");
    let path = dir.display().to_string();
    std::fs::write(&file, text.replace("%dir%", &path)).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_drover"));
    let output = program.args(["-t", "-q", "-g", "pid off;", "-c"]).arg(&file).args(args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap().replace(&format!("{path}/"), "").replace(&path, "DIR");
    (output.status.success(), messages(&stderr))
}

fn messages(stderr: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut source = "";
    for line in stderr.lines() {
        if let Some((level, sentence)) = line.strip_prefix("drover: [").and_then(|rest| rest.split_once("] ")) {
            let (level, sentence) = (level.to_owned(), sentence.to_owned());
            let (at, marked, help) = Default::default();
            messages.push(Message { level, sentence, at, marked, help });
        } else if let Some(last) = messages.last_mut() {
            let (margin, rest) = line.split_at(line.find(['|', '-', '=']).unwrap_or(line.len()));
            if let Some(place) = rest.strip_prefix("--> c.conf:") {
                last.at = place.to_owned();
            } else if let Some(help) = rest.strip_prefix("= ") {
                last.help = help.to_owned();
            } else if let Some(shown) = rest.strip_prefix("| ").filter(|_| !margin.trim().is_empty()) {
                source = shown;
            } else if let Some(carets) = rest.strip_prefix("| ") {
                let from = carets.chars().position(|c| c == '^').unwrap();
                let len = carets.chars().skip(from).take_while(|c| *c == '^').count();
                last.marked = source.chars().skip(from).take(len).collect();
                last.help = carets.chars().skip(from + len + 1).collect();
            }
        }
    }
    messages
}

/// `(conf, sentence, place, marked, help)` of the one error of each conf.
type Case<'c> = (&'c str, &'c str, &'c str, &'c str, &'c str);

fn check(level: &str, cases: &[Case]) {
    let dir = tempfile::tempdir().unwrap();
    for (text, sentence, at, marked, help) in cases {
        let expected = Message {
            level: level.to_owned(),
            sentence: (*sentence).to_owned(),
            at: (*at).to_owned(),
            marked: (*marked).to_owned(),
            help: (*help).to_owned(),
        };
        let (is_fine, messages) = said(dir.path(), text);
        assert_eq!((is_fine, messages), (level == "warn", vec![expected]), "{text}");
    }
}

#[test]
fn what_is_said_twice_names_the_first_place() {
    check(
        "emerg",
        &[
            (
                "events {}\nhttp {}\nhttp {}\n",
                "\"http\" directive is duplicate in c.conf:3",
                "3:1",
                "http",
                "it stands in c.conf:2 already",
            ),
            (
                "events {}\nhttp {\n root /a;\n root /b;\n}\n",
                "\"root\" directive is duplicate in c.conf:4",
                "4:2",
                "root",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server { location / {\n root /a;\n alias /b;\n}}}\n",
                "\"alias\" directive is duplicate, \"root\" directive was specified earlier in c.conf:4",
                "4:2",
                "alias",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n listen 8097;\n listen *:8097;\n}}\n",
                "a duplicate listen 0.0.0.0:8097 in c.conf:4",
                "4:9",
                "*:8097",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n location /a {}\n location ^~ /a {}\n}}\n",
                "duplicate location \"/a\" in c.conf:4",
                "4:14",
                "/a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server {\n location = /a {}\n location =/a {}\n}}\n",
                "duplicate location \"/a\" in c.conf:4",
                "4:11",
                "=/a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n server { listen 8097 default_server; }\n server { listen 8097 default; }\n}\n",
                "a duplicate default server for 0.0.0.0:8097 in c.conf:4",
                "4:18",
                "8097",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n server { listen 8097 backlog=5; }\n server { listen 8097 backlog=5; }\n}\n",
                "duplicate listen options for 0.0.0.0:8097 in c.conf:4",
                "4:18",
                "8097",
                "options of a socket can be set once: they stand in c.conf:3",
            ),
            (
                "events {}\nhttp {\n log_format a b;\n log_format a c;\n}\n",
                "duplicate \"log_format\" name \"a\" in c.conf:4",
                "4:13",
                "a",
                "it stands in c.conf:3 already",
            ),
            (
                "events {}\nhttp {\n log_format combined c;\n}\n",
                "duplicate \"log_format\" name \"combined\" in c.conf:3",
                "3:13",
                "combined",
                "this format is built in",
            ),
            (
                "events {}\nstream { server {\n listen 8097;\n echo_upper;\n json_rpc;\n}}\n",
                "\"json_rpc\" directive is duplicate in c.conf:5",
                "5:2",
                "json_rpc",
                "it stands in c.conf:4 already",
            ),
            (
                "events {}\nhttp { server {\n listen 8097;\n}}\nstream { server { listen 8097; echo_upper; }}\n",
                "duplicate \"0.0.0.0:8097\" address and port pair in c.conf:5",
                "5:26",
                "8097",
                "0.0.0.0:8097 is listened on by \"http\" in c.conf:3 already",
            ),
            (
                "events {}\nhttp { server { location /a {\n stub_status;\n ledger;\n}}}\n",
                "\"ledger\" conflicts with \"stub_status\" in the same location in c.conf:4",
                "4:2",
                "ledger",
                "\"stub_status\" stands in c.conf:3: give each a location of its own",
            ),
            (
                "events {\n accept_mutex on;\n dispatch herd;\n}\n",
                "\"dispatch herd\" contradicts \"accept_mutex on\" in c.conf:3",
                "3:2",
                "dispatch",
                "say one of them: \"accept_mutex\" stands in c.conf:2",
            ),
        ],
    );
    check(
        "warn",
        &[(
            "events {}\nhttp {\n server { listen 8097; server_name a; }\n server { listen 8097; server_name b a; }\n}\n",
            "conflicting server name \"a\" on 0.0.0.0:8097, ignored in c.conf:4",
            "4:38",
            "a",
            "it stands in c.conf:3 already",
        )],
    );
}
