use super::*;
use crate::conf::{Mistakes, Registry};
use crate::http::site::{HttpBlock, Location};

fn compile(server: &str) -> HttpBlock {
    let registry = Registry::new(crate::http::DIRECTIVES);
    let conf = conf::parse(&registry, &format!("http {{ server {{ listen 80; {server} }} }}")).unwrap();
    HttpBlock::new(&conf, &mut Mistakes::default())
}

/// The steps, a letter each; behind that of an `if` its location and where it goes on.
fn drawn(script: &Script) -> String {
    let letter = |step: &Step| match step {
        Step::Rewrite(_) => "w".to_owned(),
        Step::Return(_) => "r".to_owned(),
        Step::Break => "b".to_owned(),
        Step::Set(_) => "s".to_owned(),
        Step::If { location, end, .. } => format!("i{}>{end}", location.map_or("-".to_owned(), |at| at.to_string())),
    };
    script.steps.iter().map(letter).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_blocks_of_ifs_are_steps_in_their_place() {
    let block = compile(
        "set $a b; if ($a) { break; return 200; } rewrite a b; if ($b) { } location / { if ($a) { set $b c; } break; \
         if ($b) { root /if; } } location /none { root /none; }",
    );
    assert_eq!(drawn(block.server(0).script.as_ref().unwrap()), "s i->4 b r w i->6");
    let scripts: Vec<_> = block.locations().iter().map(|location| location.script.as_ref().map(drawn)).collect();
    assert_eq!(scripts, [None, Some("i2>2 s b i3>4".to_owned()), None, None, None]);
    let homes: Vec<_> = block.locations().iter().map(Location::home).collect();
    assert_eq!(homes, [0, 1, 1, 1, 4]);
}

#[test]
fn directives_of_included_files_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("steps");
    std::fs::write(&path, "set $a b; break;").unwrap();
    let include = format!("include {};", path.display());
    let block = compile(&format!("return 200; {include} rewrite a b; {include} if ($a) {{ {include} }}"));
    assert_eq!(drawn(block.server(0).script.as_ref().unwrap()), "r s b w s b i->9 s b");
}

#[test]
fn only_a_return_that_every_request_comes_to_answers_always() {
    for (script, always) in [
        ("return 200;", true),
        ("set $a b; if ($a) { return 201; } return 200;", true),
        ("if ($uri) { return 200; }", false),
        ("break; return 200;", false),
        ("rewrite a b last; return 200;", false),
        ("set $a b;", false),
    ] {
        assert_eq!(compile(script).server(0).script.as_ref().unwrap().always_returns(), always, "{script}");
    }
}

#[test]
fn a_question_mark_ends_the_path_of_a_replacement_but_not_of_a_redirect() {
    let of = |text: &str| {
        let block = compile(&format!("rewrite a {text};"));
        let Some(Step::Rewrite(rewrite)) = block.server(0).script.as_ref().unwrap().steps.first() else { panic!() };
        let text = |template: &Template| String::from_utf8(template.as_text().unwrap().to_vec()).unwrap();
        (text(&rewrite.path), rewrite.args.as_ref().map(text), rewrite.keeps_args, rewrite.redirect)
    };
    assert_eq!(of("/b"), ("/b".to_owned(), None, true, None));
    assert_eq!(of("/b?"), ("/b".to_owned(), None, false, None));
    assert_eq!(of("/b?c?d"), ("/b".to_owned(), Some("c?d".to_owned()), true, None));
    assert_eq!(of("/b??"), ("/b".to_owned(), Some(String::new()), false, None));
    assert_eq!(of("/b?c permanent"), ("/b?c".to_owned(), None, true, Some(301)));
    assert_eq!(of("http://b/?c?"), ("http://b/?c".to_owned(), None, false, Some(302)));
    assert_eq!(of("https://b/ permanent"), ("https://b/".to_owned(), None, true, Some(301)));
}
