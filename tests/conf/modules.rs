//! Every directive of nginx is known, and the README says what becomes of it.

use crate::README;
use std::path::Path;

use drover::conf::{Kind, Registry};

/// The modules of nginx 1.28.3 that a server of files meets, with their directives, and those that 1.29 added.
const MODULES: &str = include_str!("nginx_directives.txt");
const START: &str = "<!-- modules -->\n";
const END: &str = "<!-- end of modules -->\n";

/// The directives of a module, by what becomes of them.
#[derive(Default)]
struct Module {
    name: &'static str,
    works: Vec<&'static str>,
    inert: Vec<&'static str>,
    refused: Vec<&'static str>,
    unknown: Vec<&'static str>,
}

fn modules(registry: &Registry) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for word in MODULES.split_whitespace() {
        if let Some(name) = word.strip_suffix(':') {
            modules.push(Module { name, ..Module::default() });
            continue;
        }
        let module = modules.last_mut().expect("the name of a module comes first");
        match registry.named(word).iter().map(|entry| entry.kind()).next() {
            _ if word == "include" => module.works.push(word),
            Some(Kind::Setting(_) | Kind::Section(_)) => module.works.push(word),
            Some(Kind::Inert(_)) => module.inert.push(word),
            Some(Kind::Refused(_)) => module.refused.push(word),
            None => module.unknown.push(word),
        }
    }
    modules
}

/// The names, or their number where they are many.
fn cell(names: &[&str]) -> String {
    match names.len() {
        0..=12 => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" "),
        many => format!("{many} directives"),
    }
}

fn table(modules: &[Module]) -> String {
    let (whole, others): (Vec<_>, Vec<_>) =
        modules.iter().partition(|module| module.refused.is_empty() && !module.works.is_empty());
    let names: Vec<String> = whole.iter().map(|module| format!("`{}`", module.name)).collect();
    let inert: Vec<&str> = whole.iter().flat_map(|module| module.inert.iter().copied()).collect();
    let mut text = format!("These modules are there: {}", names.join(", "));
    text += &format!("; without effect are {}.\n\nOf the others:\n\n", cell(&inert));
    text += "| module | work | accepted without effect | refused |\n|---|---|---|---|\n";
    for module in others {
        let works = if module.works.len() > 12 { "all others".to_owned() } else { cell(&module.works) };
        text += &format!("| `{}` | {works} | {} | {} |\n", module.name, cell(&module.inert), cell(&module.refused));
    }
    text
}

#[test]
fn every_directive_of_nginx_is_known() {
    let unknown = modules(&drover::cli::registry()).into_iter().flat_map(|module| module.unknown);
    assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&str>::new());
}

/// `UPDATE_REFERENCE=1 cargo test --test conf` writes the table anew.
#[test]
fn the_modules_in_the_readme_are_up_to_date() {
    let _turn = README.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let start = readme.find(START).expect("the start of the table") + START.len();
    let kept = &readme[start..start + readme[start..].find(END).expect("the end of the table")];
    let table = table(&modules(&drover::cli::registry()));
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        let (before, after) = (&readme[..start], &readme[start + kept.len()..]);
        return std::fs::write(&path, [before, &table, after].concat()).unwrap();
    }
    assert!(kept == table, "the README has\n{kept}instead of\n{table}write it with UPDATE_REFERENCE=1");
}
