//! The dashboard's form, by the types that Grafana itself is written in (@grafana/schema).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::dashboard;

/// Enums of TypeScript take no plain texts: this makes the type of the JSON from a type of Grafana's. Options may be
/// left out, which Grafana fills in.
const HEAD: &str = "\
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfigSource, Panel, RowPanel } from '@grafana/schema';
type Plain<T> = T extends string ? `${T}` : T extends number ? (number extends T ? number : T)
    : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Queries = { annotations: { list: AnnotationQuery<DataQuery & { expr: string; legendFormat: string }>[] } };
type Whole = Plain<Omit<Dashboard, 'annotations' | 'panels'> & Queries>;
type Graph<Options, Custom> = Plain<Omit<Panel, 'options' | 'fieldConfig'>
    & { options: Partial<Options>; fieldConfig: FieldConfigSource<Partial<Custom>> }>;
";

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().expect("panels")
}

fn kind(panel: &Value) -> &str {
    panel["type"].as_str().expect("a type")
}

/// A program that compiles if the dashboard is one.
fn program(mut dashboard: Value) -> String {
    let mut program = HEAD.to_owned();
    let kinds: BTreeSet<&str> = panels(&dashboard).iter().map(kind).filter(|kind| *kind != "row").collect();
    for kind in kinds {
        let module = format!("@grafana/schema/dist/types/raw/composable/{kind}/panelcfg/x/types.gen");
        let _ = writeln!(program, "import type * as {kind} from '../node_modules/{module}';");
    }
    for (i, panel) in panels(&dashboard).iter().enumerate() {
        let of = match kind(panel) {
            "row" => "Plain<RowPanel>".to_owned(),
            "stat" => "Graph<stat.Options, {}>".to_owned(),
            kind => format!("Graph<{kind}.Options, {kind}.FieldConfig>"),
        };
        let _ = writeln!(program, "export const panel{i}: {of} = {panel};");
    }
    dashboard.as_object_mut().expect("an object").remove("panels");
    let _ = writeln!(program, "export const dashboard: Whole = {dashboard};");
    program
}

/// The words of the compiler of TypeScript on a program.
fn compiled(program: &str) -> String {
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/node");
    let tsc = node.join("node_modules/.bin/tsc");
    assert!(tsc.exists(), "TypeScript and Grafana's types are missing: tools/test installs them");
    let dir = tempfile::tempdir_in(&node).expect("a directory");
    std::fs::write(dir.path().join("dashboard.ts"), program).expect("write");
    let options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
    let output = Command::new(tsc).args(options).arg("dashboard.ts").current_dir(dir.path()).output().expect("run tsc");
    assert_eq!(output.status.success(), output.stdout.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_is_a_dashboard_by_grafana_s_own_types() {
    assert_eq!(compiled(&program(dashboard())), "");
    // The compiler does look: a word that is none, and a member that is none.
    let mut wrong = dashboard();
    let graph = panels(&wrong).iter().position(|panel| kind(panel) == "timeseries").expect("a graph");
    wrong["panels"][graph]["options"]["legend"]["placement"] = "sideways".into();
    wrong["tag"] = Vec::<Value>::new().into();
    let said = compiled(&program(wrong));
    assert!(said.contains("sideways") && said.contains("'\"tag\"'"), "{said}");
}

#[test]
fn panels_stand_side_by_side_and_say_what_they_show() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels(&dashboard) {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "twice: {panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|name| panel["gridPos"][name].as_u64().expect("a number"));
        assert!(x + w <= 24 && w > 0 && h > 0, "{panel}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "two panels at {place:?}: {panel}");
        }
        if kind(panel) != "row" {
            assert!(["title", "description"].iter().all(|name| panel[name].as_str().is_some_and(|t| !t.is_empty())));
            let targets = panel["targets"].as_array().expect("targets");
            let sources = targets.iter().chain([panel]).map(|of| &of["datasource"]["uid"]);
            assert!(!targets.is_empty() && sources.into_iter().all(|uid| uid == "${datasource}"), "{panel}");
        }
    }
    let rows: Vec<&str> = panels(&dashboard)
        .iter()
        .filter(|panel| kind(panel) == "row")
        .filter_map(|row| row["title"].as_str())
        .collect();
    let expected =
        ["Traffic", "Latencies", "Connections and dispatch", "TLS and HTTP/2", "Caches and limits", "Service"];
    assert_eq!(rows, expected);
}
