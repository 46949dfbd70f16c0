//! Sides of a comparison: a model of drover, or another server, with parameters.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::names;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Drover,
    /// The nginx that is installed.
    Nginx,
    /// The nginx that `tools/nginx` builds.
    BuiltNginx,
    H2o,
}

/// The name of the nginx that `tools/nginx` builds: its version is in it.
pub(crate) const BUILT_NGINX: &str = "nginx-1.28.3";

/// A side. On the command line: `MODEL[:PARAMETER=VALUE ...]` of drover, `nginx[:DIRECTIVE=VALUE ...]`, the same of
/// `nginx-1.28.3`, or `h2o`.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub name: String,
    pub program: Program,
    /// The name of drover's model.
    pub model: String,
    /// Parameters of the model, or directives of nginx's events block.
    pub params: Vec<String>,
    /// The binary of `--drover`, which replaces the drover that is linked into the lab.
    pub binary: Option<PathBuf>,
    /// How much more CPU time the lab makes the side use (0.05: a twentieth), to see whether the lab finds that.
    pub handicap: f64,
    /// Whether drover counts how long connections wait for their accept.
    pub counts_delays: bool,
}

/// The names of drover's models.
pub(crate) fn models() -> Vec<&'static str> {
    drover::dispatch::MODELS.iter().map(|kind| kind.name).collect()
}

impl Side {
    /// Parses a side. Error: no such model or server; says which may have been meant.
    pub(crate) fn parse(text: &str) -> Result<Side> {
        let mut words = text.split([':', ' ']).filter(|word| !word.is_empty());
        let name = words.next().unwrap_or("");
        let program = match name {
            "nginx" => Program::Nginx,
            BUILT_NGINX => Program::BuiltNginx,
            "h2o" => Program::H2o,
            _ if models().contains(&name) => Program::Drover,
            _ => {
                let known = [models(), vec!["nginx", BUILT_NGINX, "h2o"]].concat();
                bail!("unknown model \"{name}\"{}", names::hint(name, &known));
            }
        };
        let params = words.map(str::to_owned).collect();
        Ok(Side {
            name: text.to_owned(),
            program,
            model: name.to_owned(),
            params,
            binary: None,
            handicap: 0.0,
            counts_delays: false,
        })
    }

    /// Parses `a,b,c`; `all` stands for all models. Repeated sides get a number.
    pub(crate) fn list(text: &str) -> Result<Vec<Side>> {
        let names = text.split(',').map(str::trim).flat_map(|name| if name == "all" { models() } else { vec![name] });
        let mut sides: Vec<Side> = Vec::new();
        for name in names {
            let mut side = Side::parse(name)?;
            let same =
                sides.iter().filter(|other| other.name == name || other.name.starts_with(&format!("{name}#"))).count();
            if same > 0 {
                side.name = format!("{name}#{}", same + 1);
            }
            sides.push(side);
        }
        Ok(sides)
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_servers_and_parameters() {
        let side = Side::parse("exclusive:rotate=0").unwrap();
        assert_eq!(
            (side.program, side.model.as_str(), side.params),
            (Program::Drover, "exclusive", vec!["rotate=0".into()])
        );
        assert_eq!(Side::parse("nginx-1.28.3:reuseport").unwrap().program, Program::BuiltNginx);
        let side = Side::parse("nginx:accept_mutex=on").unwrap();
        assert_eq!((side.program, side.params), (Program::Nginx, vec!["accept_mutex=on".to_owned()]));
    }

    #[test]
    fn the_same_twice_has_two_names() {
        let names: Vec<String> = Side::list("herd,herd,exclusive").unwrap().into_iter().map(|side| side.name).collect();
        assert_eq!(names, ["herd", "herd#2", "exclusive"]);
        assert!(Side::list("all").unwrap().len() >= 3);
    }

    #[test]
    fn the_built_nginx_is_the_one_that_its_name_says() {
        let version = BUILT_NGINX.strip_prefix("nginx-").unwrap();
        assert!(include_str!("../../../nginx").contains(&format!("+{version}\n")));
    }

    #[test]
    fn an_unknown_model_is_an_error_with_a_hint() {
        let error = Side::parse("acept_mutex").unwrap_err().to_string();
        assert!(error.contains("did you mean \"accept_mutex\"?"), "{error}");
    }
}
