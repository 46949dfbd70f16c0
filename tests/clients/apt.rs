//! apt pipelines ten requests, and takes a response that is cut short for a package that can't be had.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use drover::dispatch::MODELS;
use tempfile::TempDir;

use crate::support::server::{Product, Server, Setup};
use crate::support::tools;
use crate::{busy, run, while_reloading};

const PACKAGES: usize = 60;

/// A flat repository of small packages. Their making takes longer than what is tested.
fn repository(size: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    // Workers that gave up root must reach the files.
    fs::set_permissions(root, fs::Permissions::from_mode(0o755)).expect("chmod");
    let build = root.join("build");
    fs::create_dir_all(build.join("DEBIAN")).expect("mkdir");
    // Noise, which dpkg-deb can't compress.
    let payload: Vec<u8> = (0..size as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    fs::write(build.join("payload"), payload).expect("the payload");
    let first = root.join("drover-test-0_1_all.deb");
    let mut index = String::new();
    for n in 0..PACKAGES {
        let control = format!(
            "Package: drover-test-{n}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\n\
             Description: a package\n"
        );
        fs::write(build.join("DEBIAN/control"), &control).expect("control");
        let name = format!("drover-test-{n}_1_all.deb");
        let deb = root.join(&name);
        run(Command::new(tools::find("dpkg-deb")).args(["-Znone", "--build"]).arg(&build).arg(&deb));
        let sum = run(Command::new(tools::find("sha256sum")).arg(&deb));
        let (size, sum) = (fs::metadata(&deb).expect("the package").len(), sum.split(' ').next().unwrap_or(""));
        index += &format!("{control}Filename: ./{name}\nSize: {size}\nSHA256: {sum}\n\n");
    }
    fs::write(root.join("Packages"), index).expect("the index");
    fs::remove_dir_all(build).expect("tidy up");
    assert!(first.is_file());
    dir
}

/// Commands of apt-get, with directories of their own below `dir` and nothing of this machine's settings.
struct Apt<'a>(&'a Path);

impl Apt<'_> {
    fn new<'a>(dir: &'a Path, server: &Server) -> Apt<'a> {
        for name in ["etc/preferences.d", "etc/trusted.gpg.d", "state/lists/partial", "cache/archives/partial", "out"] {
            fs::create_dir_all(dir.join(name)).expect("mkdir");
        }
        fs::write(dir.join("status"), "").expect("status");
        let source = format!("deb [trusted=yes] http://127.0.0.1:{}/ ./\n", server.port());
        fs::write(dir.join("etc/sources.list"), source).expect("sources.list");
        let at = dir.display();
        let settings = format!(
            "Dir::Etc \"{at}/etc\";\nDir::Etc::parts \"none\";\nDir::Etc::main \"none\";\n\
            Dir::Etc::sourceparts \"none\";\n\
             Dir::State \"{at}/state\";\nDir::State::status \"{at}/status\";\nDir::Cache \"{at}/cache\";\n\
             Dir::Log \"{at}\";\n\
             APT::Sandbox::User \"root\";\nDebug::NoLocking \"true\";\nAcquire::http::Proxy \"false\";\n\
             Acquire::Retries \"0\";\nAcquire::Languages \"none\";\n"
        );
        fs::write(dir.join("apt.conf"), settings).expect("apt.conf");
        Apt(dir)
    }

    fn get(&self, args: &[&str]) {
        let mut command = Command::new(tools::find("apt-get"));
        command.env("APT_CONFIG", self.0.join("apt.conf")).env("LC_ALL", "C").env_remove("http_proxy");
        run(command.current_dir(self.0.join("out")).arg("-q").args(args));
    }

    fn download(&self, more: &[&str]) {
        self.get(&["update"]);
        let names: Vec<String> = (0..PACKAGES).map(|n| format!("drover-test-{n}")).collect();
        let args: Vec<&str> =
            more.iter().copied().chain(["download"]).chain(names.iter().map(String::as_str)).collect();
        self.get(&args);
        let count = fs::read_dir(self.0.join("out")).expect("the packages").count();
        assert_eq!(count, PACKAGES, "packages");
    }
}

/// Every connection ends after twenty responses, while apt has asked for more.
#[test]
fn apt_gets_all_packages() {
    let repository = repository(3000);
    for kind in MODELS {
        let conf = busy(2).dispatch(kind.name).http("keepalive_requests 20;");
        let server = Setup::new(Product::under_test(), conf).root(repository.path()).start();
        let dir = tempfile::tempdir().expect("a directory");
        Apt::new(dir.path(), &server).download(&[]);
    }
}

#[test]
fn apt_gets_all_packages_during_reloads() {
    let repository = repository(20_000);
    for model in ["exclusive", "accept_mutex", "pool_pass", "prefork", "fork", "leader_follower"] {
        let setup = Setup::new(Product::under_test(), busy(2).dispatch(model));
        let server = setup.root(repository.path()).start();
        let dir = tempfile::tempdir().expect("a directory");
        let apt = Apt::new(dir.path(), &server);
        // In KB/s: a second or two for all.
        while_reloading(&server, || apt.download(&["-o", "Acquire::http::Dl-Limit=800"]));
    }
}
