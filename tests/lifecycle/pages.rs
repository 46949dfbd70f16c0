//! The manual pages, and the completions of real shells.

use std::path::Path;
use std::process::Command;

use crate::support::ended::{Ended, drover};
use crate::support::server::Product;
use crate::support::tools;

/// The source of a manual page.
fn page(name: &str) -> String {
    let printed = drover(&["--man", name]);
    assert!(printed.succeeded(), "{}", printed.stderr);
    printed.stdout
}

#[test]
fn the_manual_pages_are_clean() {
    let dir = tempfile::tempdir().unwrap();
    for (name, file) in [("drover", "drover.8"), ("conf", "drover.conf.5")] {
        let path = dir.path().join(file);
        std::fs::write(&path, page(name)).unwrap();
        let path = path.to_str().unwrap();
        for (program, args) in [
            ("man", &["--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"][..]),
            ("groff", &["-ww", "-z", "-man", "-Tutf8"]),
            ("mandoc", &["-T", "lint", "-W", "warning"]),
        ] {
            let mut command = Command::new(tools::find(program));
            let read: Ended = command.args(args).arg(path).env("MANWIDTH", "80").output().unwrap().into();
            let said = if program == "mandoc" { read.stdout } else { String::new() } + &read.stderr;
            assert_eq!((read.code, said.as_str()), (Some(0), ""), "{program} {file}");
        }
    }
}

#[test]
fn the_pages_have_every_option_and_every_directive() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, page(name)).unwrap();
        tools::run("mandoc", &["-T", "ascii", "-O", "width=200", path.to_str().unwrap()])
            // Bold letters are struck twice.
            .split('\u{8}')
            .fold(String::new(), |mut text, part| {
                if !text.is_empty() {
                    text.pop();
                }
                text + part
            })
    };
    let program = read("drover");
    for option in
        ["-t", "-T", "-q", "-c filename", "-s signal", "--format filename...", "--completions shell", "--man [page]"]
    {
        assert!(
            program.contains(&format!("\n       {option}")) || program.contains(&format!("  {option} ")),
            "{option}\n{program}"
        );
    }
    let conf = read("conf");
    for line in drover(&["--help-conf"]).stdout.lines() {
        let name = line.split_whitespace().next().unwrap();
        assert!(conf.contains(name), "{name} is not in drover.conf(5)");
    }
    for text in ["server_name NAME", "Default: 75s", "EXCLUSIVE", "$request_time", "^~] URI"] {
        assert!(conf.contains(text), "{text}");
    }
}

/// The script for a shell, in a file; and the PATH on which the program stands.
fn script(dir: &Path, shell: &str) -> (String, String) {
    let printed = drover(&["--completions", shell]);
    assert!(printed.succeeded(), "{}", printed.stderr);
    let path = dir.join("_drover");
    std::fs::write(&path, printed.stdout).unwrap();
    let binary = Product::Drover.binary();
    let bin = binary.parent().unwrap().display();
    (path.to_str().unwrap().to_owned(), format!("{bin}:/usr/bin:/bin"))
}

/// Typed words, some words that must be offered, and some that must not.
const CASES: [(&[&str], &[&str], &[&str]); 7] = [
    (&["-s", ""], &["stop", "quit", "reopen", "reload"], &["-t", "stash"]),
    (&["-s", "re"], &["reopen", "reload"], &["stop"]),
    (&["--completions", ""], &["bash", "zsh", "fish"], &["stop"]),
    (&["--man", ""], &["drover", "conf"], &["stop"]),
    (&["--help-conf", "worker_pro"], &["worker_processes"], &["worker_connections"]),
    (&["--f"], &["--format"], &["--init"]),
    (&["-c", "some_"], &["some_file.conf"], &["--format"]),
];

fn check(shell: &str, offered: impl Fn(&[&str]) -> String) {
    for (typed, some, none) in CASES {
        let offered = offered(typed);
        for word in some {
            assert!(offered.contains(word), "{shell} offers for {typed:?} {offered:?}, without {word}");
        }
        for word in none {
            assert!(!offered.contains(word), "{shell} offers for {typed:?} {offered:?}, with {word}");
        }
    }
}

/// Runs a shell with a script of its own in a directory that has `some_file.conf`.
fn run(shell: &str, args: &[&str], script: &str) -> impl Fn(&[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("some_file.conf"), "").unwrap();
    let (completions, path) = self::script(dir.path(), shell);
    let (program, script) = (tools::find(shell), script.to_owned());
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    move |typed: &[&str]| {
        let mut command = Command::new("timeout");
        command.arg("60").arg(&program).args(&args).arg(&script).current_dir(dir.path()).env("PATH", &path);
        command
            .env("HOME", dir.path())
            .env("SCRIPT", &completions)
            .env("TYPED", typed.join(" "))
            .env("TERM", "dumb")
            .env("ZSH", ZSH);
        let run: Ended = command.output().unwrap().into();
        assert!(run.succeeded(), "{shell:?} {typed:?}: {run:?}", shell = program);
        run.stdout
    }
}

#[test]
fn bash_completes() {
    let ask = r#"
        source $SCRIPT
        read -ra COMP_WORDS <<<"drover $TYPED"
        [[ $TYPED == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        complete -p drover >/dev/null && _drover
        printf '%s\n' "${COMPREPLY[@]}""#;
    check("bash", run("bash", &["--norc", "-c"], ask));
}

#[test]
fn fish_completes() {
    check(
        "fish",
        run(
            "fish",
            &["--no-config", "-c"],
            "source $SCRIPT; complete -C \"drover $TYPED\" | string replace -r '\\t.*' ''; true",
        ),
    );
}

/// Start of a zsh in a terminal: TAB prints the offers of the completion, and ends the shell.
const ZSH: &str = r#"
    PS1= RPS1=
    fpath=($PWD $fpath)
    autoload -Uz compinit
    compinit -u -D
    compadd() {
        [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] && { builtin compadd "$@"; return }
        local -a found
        builtin compadd -A found "$@"
        print -lr -- OFFER:$^found
    }
    offer() { _main_complete; print -r -- THE-END; exit }
    zle -C offer complete-word offer
    bindkey '^I' offer
"#;

#[test]
fn zsh_completes() {
    let ask = r#"
        print -r -- $ZSH >init.zsh
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "source ./init.zsh; echo rea''dy"
        zpty -r shell out '*ready*'
        zpty -w -n shell "drover $TYPED"$'\t'
        zpty -r shell out '*THE-END*'
        print -r -- ${(M)${(f)out}:#*OFFER:*} "#;
    check("zsh", run("zsh", &["-f", "-c"], ask));
}
