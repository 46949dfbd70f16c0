use super::format;
use crate::conf::{Contexts, Entry, Refused, Registry, Section, Setting};
use proptest::prelude::*;

static SERVER: Section = Section::new("server").contexts(Contexts::MAIN).inner(Contexts::SERVER);
static ROOT: Setting<String> = Setting::path("root").contexts(Contexts::SERVER);
static LUA: Refused = Refused::new("lua_block", "There is no Lua.").holding_code();
static DIRECTIVES: &[&dyn Entry] = &[&SERVER, &ROOT, &LUA];

fn registry() -> Registry {
    Registry::new(&[DIRECTIVES])
}

/// The formatted text, which formatting leaves as it is.
#[track_caller]
fn formatted(text: &str) -> String {
    let once = format(&registry(), "conf", text.as_bytes()).map_err(|problems| problems.to_string()).unwrap();
    let twice = format(&registry(), "conf", &once).map_err(|problems| problems.to_string()).unwrap();
    let (once, twice) = (String::from_utf8(once).unwrap(), String::from_utf8(twice).unwrap());
    assert_eq!(once, twice, "of {text:?}");
    once
}

#[test]
fn blocks_are_indented_and_statements_have_lines_of_their_own() {
    assert_eq!(
        formatted("a 1;server{root /x;b   2  3;if (1){c;}}"),
        "a 1;\nserver {\n    root /x;\n    b  2 3;\n    if (1) { c; }\n}\n"
    );
    assert_eq!(formatted("server\n{\n\troot /x\n\t;\n\n\n\n}\n\n"), "server {\n    root /x;\n}\n");
    assert_eq!(formatted("a{}b{ \n }"), "a { }\nb { }\n");
    assert_eq!(formatted("\n\na 1;\n\n\n\nb 2;"), "a 1;\n\nb 2;\n");
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\u{feff}a 1;"), "a 1;\n");
}

#[test]
fn a_block_of_one_statement_stays_in_its_line_if_it_fits() {
    assert_eq!(
        formatted("a { b 1; }\na {\nb 1;\n}\na { b 1; c; }"),
        "a { b 1; }\na {\n    b 1;\n}\na {\n    b 1;\n    c;\n}\n"
    );
    let long = "x".repeat(120);
    assert_eq!(formatted(&format!("a {{ b {long}; }}")), format!("a {{\n    b {long};\n}}\n"));
    assert_eq!(formatted("a { b { c; } }"), "a {\n    b { c; }\n}\n");
}

#[test]
fn comments_stay_where_they_are() {
    let text = "# head  \nserver { # of a block\n  # inside\n  a 1;#behind\n#    root /x;\n} # end\n#last";
    let expected = "# head\nserver { # of a block\n    # inside\n    a 1; #behind\n    #    root /x;\n} # end\n#last\n";
    assert_eq!(formatted(text), expected);
    assert_eq!(formatted("a # why\n 1\n # and\n;"), "a # why\n    1\n    # and\n    ;\n");
    assert_eq!(formatted("a # why\n{ # so\n}"), "a # why\n    { # so\n}\n");
    assert_eq!(formatted("a { b; # c\n }"), "a {\n    b; # c\n}\n");
    let latin = format(&registry(), "conf", b"#\xe9 \r\na;").unwrap();
    assert_eq!(latin, b"#\xe9\r\na;\r\n");
}

#[test]
fn columns_of_neighbours_stay_and_lonely_blanks_go() {
    let aligned = "listen       80;      # one\nserver_name  a b;     # two\n# between\nroot         /x c;\n";
    assert_eq!(formatted(aligned), aligned);
    assert_eq!(
        formatted("listen     80  a;\n\nserver_name a   b;    # c\n"),
        "listen  80 a;\n\nserver_name a b;  # c\n"
    );
    assert_eq!(formatted("a\t\tx;\nbbbbb\ty;\n"), "a       x;\nbbbbb   y;\n");
}

#[test]
fn statements_of_several_lines_keep_them() {
    let text = "server {\n  log_format  main  '$a'\n                    '$b';\n  types\n   x\n;\n}";
    let expected = "server {\n    log_format  main  '$a'\n                      '$b';\n    types\n        x;\n}\n";
    assert_eq!(formatted(text), expected);
    assert_eq!(formatted("a\n    b { c\n  d;\n }"), "a b {\n    c\n        d;\n}\n");
}

#[test]
fn words_are_never_touched() {
    let text = "a \"x  #;{\n  y\" '\\'}' ${b}c{ d \"e\") b}c f#g \\;h;\n }";
    let expected = "a \"x  #;{\n  y\" '\\'}' ${b}c {\n    d  \"e\") b}c f#g \\;h;\n}\n";
    assert_eq!(formatted(text), expected.replace("d  ", "d "));
    assert_eq!(formatted("\n\u{feff} a;"), "\n\u{feff} a;\n");
}

#[test]
fn other_languages_are_kept_byte_by_byte() {
    let lua = "{\n   local a = {  1;2 } -- }\n\tb(\"}\")   }";
    assert_eq!(
        formatted(&format!("server{{lua_block{lua}\nroot /;}}")),
        format!("server {{\n    lua_block {lua}\n    root /;\n}}\n")
    );
    let perl = "{ it's { odd }\n }";
    assert_eq!(formatted(&format!("strange{perl}")), format!("strange {perl}\n"));
}

#[test]
fn line_ends_are_those_of_the_text() {
    assert_eq!(formatted("a 1;\r\nserver{\n'x\ny';}"), "a 1;\r\nserver {\r\n    'x\ny';\r\n}\r\n");
    assert_eq!(formatted("a 1;\nb 1;\r\n"), "a 1;\nb 1;\n");
    assert_eq!(formatted("a\r1;"), "a 1;\n");
    // This CR belongs to the word.
    assert_eq!(formatted("a \\\r\n1;\nb;"), "a \\\r\n    1;\nb;\n");
}

#[test]
fn mistakes_are_those_of_a_start() {
    let said = |text: &str| {
        let problems = format(&registry(), "conf", text.as_bytes()).unwrap_err();
        problems.errors().map(|error| error.sentence()).collect::<Vec<_>>()
    };
    assert_eq!(said("a 1;\n}"), ["unexpected \"}\" in conf:2"]);
    assert_eq!(said("a {\n b"), ["unexpected end of file, expecting \";\" or \"}\" in conf:2"]);
    assert_eq!(said("server {\n"), ["unexpected end of file, expecting \"}\" in conf:2"]);
    assert_eq!(
        said(";\nserver { root /x }\n{"),
        ["unexpected \";\" in conf:1", "unexpected \"}\" in conf:2", "unexpected \"{\" in conf:3"]
    );
    assert_eq!(said("a \"b"), ["unexpected end of file, expecting \";\" or \"}\" in conf:1"]);
    assert_eq!(said(&"server {".repeat(65)), ["more than 64 levels of blocks and includes in conf:1"]);
}

/// Words, ends and comments of a text, without the blanks between them.
fn essence(text: &[u8]) -> Vec<Vec<u8>> {
    use crate::conf::format::tree::{End, Line, read};
    use crate::conf::{Sources, lexer::Lexer};
    fn gather(lines: &[Line], to: &mut Vec<Vec<u8>>) -> bool {
        let mut has_code = false;
        for line in lines {
            match line {
                Line::Blank => {}
                Line::Comment(text) => to.push(text.to_vec()),
                Line::Statement(statement) => {
                    to.extend(statement.pieces.iter().map(|piece| piece.text.to_vec()));
                    match &statement.end {
                        End::Semicolon => to.push(b";".to_vec()),
                        End::Code(code) => {
                            has_code = true;
                            to.push(code.to_vec());
                        }
                        End::Block(block) => {
                            to.push(b"{".to_vec());
                            to.extend(block.comment.iter().map(|piece| piece.text.to_vec()));
                            has_code |= gather(&block.lines, to);
                            to.push(b"}".to_vec());
                        }
                    }
                    to.extend(statement.trailing.iter().map(|piece| piece.text.to_vec()));
                }
            }
        }
        has_code
    }
    let file = Sources::default().add_file("conf", text.to_vec(), None);
    let mut all = Vec::new();
    let has_code = read(&registry(), file, text).is_ok_and(|tree| gather(&tree.lines, &mut all));
    if has_code {
        return all;
    }
    // The lexer of the loader alone, which knows neither comments nor other languages.
    let mut lexer = Lexer::new(text, file, false);
    while let Ok(statement) = lexer.statement() {
        all.extend(statement.words.into_iter().map(|word| word.text.into_bytes()));
        all.push(format!("{:?}", statement.end).into_bytes());
        if statement.end == crate::conf::lexer::End::Text {
            break;
        }
    }
    all
}

/// Pieces of which confs are made, and of what is none.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    " ", "  ", "    ", "\t", "\n", "\n\n", "\r\n", "\r", ";", ";\n", "; ", " {", "{\n", "}", "}\n", " }\n", "# c\n",
    "#", " # c  \r\n", "a", "bb ", "server", "root /x;", "root  /x;  # c\n", "server { root /x; }", "odd { it's }",
    "lua_block { -- }\n }", "\"q\" ", "'q\n w'", "\"\t\"", "${x}", "$", "\\", "\\;", "ä", "~^/\\d{3}$ ",
    "listen   80;", "(", "\")", "[[", "--", "\u{feff}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn formatting_changes_blanks_alone(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let mut text = pieces.concat();
        // Most random texts end inside of blocks.
        let open = text.matches('{').count().saturating_sub(text.matches('}').count());
        text.push_str(&"\n}".repeat(open.min(9)));
        if let Ok(once) = format(&registry(), "conf", text.as_bytes()) {
            prop_assert_eq!(essence(text.as_bytes()), essence(&once), "{}", String::from_utf8_lossy(&once));
            let twice = format(&registry(), "conf", &once);
            let twice = twice.map_err(|problems| TestCaseError::fail(problems.to_string()))?;
            prop_assert_eq!(String::from_utf8_lossy(&twice), String::from_utf8_lossy(&once));
        }
    }

    #[test]
    fn any_bytes_are_formatted_or_refused(text: Vec<u8>) {
        _ = format(&registry(), "conf", &text);
    }
}
