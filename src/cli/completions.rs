//! `drover --completions SHELL`: scripts that complete options and their values. They are made from the list of
//! options; names of directives are asked of the program itself when they are wanted.

use super::usage::{OPTIONS, Opt, Value};

/// The shells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash 4 or later.
    Bash,
    /// zsh.
    Zsh,
    /// fish 3 or later.
    Fish,
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// The command that lists the directives.
const DIRECTIVES: &str = "drover --help-conf 2>/dev/null | cut -d' ' -f1";

fn bash() -> String {
    let mut cases = String::new();
    for option in OPTIONS {
        let reply = match option.value {
            Value::Nothing => continue,
            Value::Text(_) => "return".to_owned(),
            Value::File(_) => "files=-f".to_owned(),
            Value::Directory(_) => "files=-d".to_owned(),
            Value::OneOf(_, words) | Value::Maybe(_, words) => format!("words='{}'", words.join(" ")),
            Value::MaybeDirective => format!("words=$({DIRECTIVES})"),
        };
        cases.push_str(&format!("        {}) {reply} ;;\n", patterns(option)));
    }
    let names: Vec<&str> = OPTIONS.iter().flat_map(|option| option.names).copied().collect();
    format!(
        "# bash completion for drover, made by drover --completions bash\n\
         _drover() {{\n    \
         local word=${{COMP_WORDS[COMP_CWORD]}} words= files=\n    \
         COMPREPLY=()\n    \
         case ${{COMP_WORDS[COMP_CWORD-1]}} in\n\
         {cases}        *) [[ $word == -* ]] && words='{}' || files=-f ;;\n    \
         esac\n    \
         if [[ -n $words ]]; then\n        \
         mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n    \
         else\n        \
         compopt -o filenames 2>/dev/null\n        \
         mapfile -t COMPREPLY < <(compgen $files -- \"$word\")\n    \
         fi\n\
         }}\n\
         complete -F _drover drover\n",
        names.join(" ")
    )
}

/// The spellings of an option as a pattern of `case`, in which a bare `?` would stand for any letter.
fn patterns(option: &Opt) -> String {
    option.names.iter().map(|name| name.replace('?', "\\?")).collect::<Vec<_>>().join(" | ")
}

/// A few words about an option: the first line of its help, without what that has in parentheses or behind it.
fn about(option: &Opt) -> &'static str {
    let line = option.help.first().copied().unwrap_or_default();
    line.split(" (").next().unwrap_or(line).trim_end_matches([',', ';', ':'])
}

fn zsh() -> String {
    let mut specs = String::new();
    for option in OPTIONS {
        let argument = match option.value {
            Value::Nothing => String::new(),
            Value::Text(name) => format!(":{name}: "),
            Value::File(name) => format!(":{name}:_files"),
            Value::Directory(name) => format!(":{name}:_files -/"),
            Value::OneOf(name, words) => format!(":{name}:({})", words.join(" ")),
            Value::Maybe(name, words) => format!("::{}:({})", name.trim_matches(['[', ']']), words.join(" ")),
            Value::MaybeDirective => "::directive:_drover_directives".to_owned(),
        };
        let about = about(option).replace(':', "\\:").replace('\'', "'\\''");
        for name in option.names {
            let name = name.replace('?', "\\?");
            specs.push_str(&format!("        '{name}[{about}]{argument}' \\\n"));
        }
    }
    format!(
        "#compdef drover\n\
         # zsh completion for drover, made by drover --completions zsh\n\
         _drover_directives() {{\n    \
         local -a names\n    \
         names=(${{(f)\"$({DIRECTIVES})\"}})\n    \
         compadd -- $names\n\
         }}\n\
         _drover() {{\n    \
         _arguments \\\n{specs}        '*:file:_files'\n\
         }}\n\
         if [[ $funcstack[1] == _drover ]]; then _drover \"$@\"; else compdef _drover drover; fi\n"
    )
}

fn fish() -> String {
    let mut lines = String::from("# fish completion for drover, made by drover --completions fish\n");
    for option in OPTIONS {
        let names = option.names.iter().map(|name| match name.strip_prefix("--") {
            Some(long) => format!(" -l {long}"),
            None => format!(" -s '{}'", name.trim_start_matches('-')),
        });
        let argument = match option.value {
            Value::Nothing => String::new(),
            Value::Text(_) => " -x".to_owned(),
            Value::File(_) => " -r -F".to_owned(),
            Value::Directory(_) => " -x -a '(__fish_complete_directories)'".to_owned(),
            Value::OneOf(_, words) | Value::Maybe(_, words) => format!(" -x -a '{}'", words.join(" ")),
            Value::MaybeDirective => format!(" -x -a \"({DIRECTIVES})\""),
        };
        let about = about(option).replace('\'', "\\'");
        lines.push_str(&format!("complete -c drover{}{argument} -d '{about}'\n", names.collect::<String>()));
    }
    lines
}
