//! Warnings: the configuration is taken, and its author may have meant something else.

use std::path::Path;

use super::{check, in_server, said};

/// `check_in_server` for warnings.
fn check_warnings(cases: &[(&str, &str, u32, &str, &str)]) {
    for (line, sentence, column, marked, help) in cases {
        let (sentence, at) = (format!("{sentence} in c.conf:3"), format!("3:{column}"));
        check("warn", &[(&in_server(&format!("listen 8097; {line}")), &sentence, &at, marked, help)]);
    }
}

#[test]
fn named_locations_that_are_not_there_are_found() {
    let missing = "there is no location \"@fallbck\"";
    check_warnings(&[
        (
            "location / { try_files $uri @fallbck; }",
            missing,
            43,
            "@fallbck",
            "it takes a \"location @fallbck { ... }\" in the same server",
        ),
        (
            "error_page 404 @fallbck; location @fallback { return 200; }",
            missing,
            30,
            "@fallbck",
            "did you mean \"@fallback\"?",
        ),
    ]);
    let dir = tempfile::tempdir().unwrap();
    for text in [
        "events {} http { server { listen 8097; try_files $uri @a; location @a { return 200; } } }",
        "events {} http { server { listen 8097; \
         location / { location /b { error_page 404 = @a; } } location @a { } } }",
        // Another server has it.
        "events {} http { error_page 404 @a; server { listen 8097; } server { listen 8098; location @a { } } }",
        // Known with the request only.
        "events {} http { server { listen 8097; error_page 404 @$arg_x; } }",
    ] {
        assert_eq!(said(dir.path(), text), (true, Vec::new()), "{text}");
    }
}

fn open_to_all(dir: &Path) {
    std::fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn roots_that_lead_nowhere_are_found() {
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let inside = |name: &str| dir.path().join(name).display().to_string();
    std::fs::create_dir_all(inside("there/deep")).unwrap();
    std::fs::write(inside("there/file-1"), "").unwrap();
    let (there, near, file, gone) = (inside("there"), inside("thre"), inside("there/file-1"), inside("no/such"));
    let of = |path: &str, what: &str| format!("the root \"{path}\" {what}");
    let alias = |path: &str, what: &str| format!("the alias \"{path}\" {what}");
    let parent = format!("there is no \"no\" in \"{}\"", dir.path().display());
    let meant = format!("did you mean \"{there}\"?");
    let missing = "does not exist";
    check_warnings(&[
        (&format!("root {near};"), &of(&near, missing), 20, &near, &meant),
        (&format!("root {gone};"), &of(&gone, missing), 20, &gone, &parent),
        (&format!("root {file};"), &of(&file, "is not a directory"), 20, &file, ""),
        (
            &format!("location /a {{ alias {gone}/; }}"),
            &alias(&format!("{gone}/"), missing),
            35,
            &format!("{gone}/"),
            &parent,
        ),
        (&format!("location = /a {{ alias {gone}; }}"), &alias(&gone, missing), 37, &gone, &parent),
        (&format!("location ~ a {{ alias {gone}; }}"), &alias(&gone, missing), 36, &gone, &parent),
        (
            &format!("location /a {{ alias {there}/file-2; }}"),
            &alias(&format!("{there}/file-2"), missing),
            35,
            &format!("{there}/file-2"),
            &format!("did you mean \"{there}/file-1\"?"),
        ),
        // Once for two places.
        (&format!("root {gone}; location /a {{ root {gone}; }}"), &of(&gone, missing), 20, &gone, &parent),
    ]);
    for text in [
        format!("root {there}/;"),
        format!("root {there}/$host;"),
        "root $document_uri;".to_owned(),
        format!("location = /a {{ alias {file}; }}"),
        format!("location /a {{ alias {file}; }}"),
        format!("location /file- {{ alias {there}/file-; }}"),
        format!("location ~ ^/(.*) {{ alias {gone}/$1; }}"),
        // Nothing is looked for there.
        format!("return 301 /x; root {gone};"),
        format!("root {gone}; location / {{ root {there}; }}"),
        format!("location /a {{ root {gone}; return 200; }}"),
        format!("location /a {{ root {gone}; stub_status; }}"),
        format!("location / {{ root {there}; location /a {{ }} }} root {gone};"),
    ] {
        assert_eq!(said(dir.path(), &in_server(&format!("listen 8097; {text}"))), (true, Vec::new()), "{text}");
    }
    let outer = format!("events {{}} http {{ root {gone}; server {{ listen 8097; root {there}; }} }}");
    assert_eq!(said(dir.path(), &outer), (true, Vec::new()));
}

#[test]
fn roots_that_the_workers_can_not_enter_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode =
        |name: &str, mode| std::fs::set_permissions(dir.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
    std::fs::create_dir_all(dir.path().join("closed/html")).unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    open_to_all(dir.path());
    mode("closed", 0o700);
    mode("file", 0o600);
    // Without privileges this test can only show that one's own directories are fine.
    let is_root = nix::unistd::geteuid().is_root();
    for (text, sentence, help) in [
        (
            "root %dir%/closed/html;",
            "user \"nobody\" can't enter the root \"closed/html\"",
            "\"closed\" has mode 0700 and belongs to root: chmod o+x, or name another \"user\"",
        ),
        (
            "location = /f { alias %dir%/file; }",
            "user \"nobody\" can't read the alias \"file\"",
            "\"file\" has mode 0600 and belongs to root: chmod o+r, or name another \"user\"",
        ),
    ] {
        let (is_fine, messages) = said(dir.path(), &in_server(&format!("listen 8097; {text}")));
        let found: Vec<_> = messages.iter().map(|said| (said.sentence.as_str(), said.help.as_str())).collect();
        let sentence = format!("{sentence} in c.conf:3");
        let expected = [(sentence.as_str(), help)];
        assert!(is_fine && found == if is_root { &expected[..] } else { &[] }, "{messages:?}");
        if is_root {
            let as_root = format!("user root;\n{}", in_server(&format!("listen 8097; {text}")));
            assert_eq!(said(dir.path(), &as_root), (true, Vec::new()));
        }
    }
    // A group lets in as well.
    if is_root {
        std::os::unix::fs::chown(dir.path().join("closed"), None, Some(1)).unwrap();
        mode("closed", 0o750);
        let text = format!("user nobody daemon;\n{}", in_server("listen 8097; root %dir%/closed/html;"));
        assert_eq!(said(dir.path(), &text), (true, Vec::new()));
    }
}

#[test]
fn password_files_that_let_nobody_in_are_found() {
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let inside = |name: &str| dir.path().join(name).display().to_string();
    let (file, closed, gone) = (inside("users"), inside("closed"), inside("usres"));
    std::fs::write(&file, "# ours\nann:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\nbob:secret\nann:*\ncarol\n").unwrap();
    std::fs::write(&closed, "ann:*\n").unwrap();
    let set_mode =
        |mode| std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    set_mode(0);
    let conf = |path: &str| in_server(&format!("listen 8097; auth_basic a; auth_basic_user_file {path};"));
    let (is_fine, messages) = said(dir.path(), &conf(&file));
    let found: Vec<_> = messages.iter().map(|message| (&*message.sentence, &*message.at, &*message.help)).collect();
    assert!(is_fine);
    assert_eq!(
        found,
        [
            (
                "users:3 has no hash of a known form in c.conf:3",
                "3:29",
                "a password as it is needs {PLAIN} in front of it"
            ),
            ("users:4 has the name of line 2 in c.conf:3", "3:29", "the first line of a name counts"),
            (
                "users:5 has no \":\" behind the name in c.conf:3",
                "3:29",
                "a line is NAME:HASH; \"htpasswd -B FILE NAME\" and \"openssl passwd -6\" make hashes"
            ),
        ]
    );
    let (_, messages) = said(dir.path(), &conf(&gone));
    let found: Vec<_> = messages.iter().map(|message| (&*message.sentence, &*message.help)).collect();
    let expected = ("the user file \"usres\" does not exist in c.conf:3", "did you mean \"users\"?");
    assert_eq!(found, [expected]);
    let (_, messages) = said(dir.path(), &conf(&closed));
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert!(message.sentence.ends_with("can't read the user file \"closed\" in c.conf:3"), "{message:?}");
    assert!(message.help.starts_with("\"closed\" has mode 0000 and belongs to "), "{message:?}");
    set_mode(0o644);
    assert_eq!(said(dir.path(), &conf(&closed)), (true, Vec::new()));
    // Not asked for, or known with the request only.
    for lines in [
        format!("listen 8097; auth_basic off; auth_basic_user_file {gone};"),
        format!("listen 8097; auth_basic_user_file {gone};"),
        format!("listen 8097; auth_basic a; auth_basic_user_file {gone}$uri;"),
    ] {
        assert_eq!(said(dir.path(), &in_server(&lines)), (true, Vec::new()), "{lines}");
    }
}

#[test]
fn workers_that_steering_by_cpu_leaves_without_connections_are_found() {
    let conf = |workers: u32, affinity: &str, dispatch: &str| {
        format!(
            "events {{ dispatch {dispatch}; }}\nhttp {{ server {{ listen 8097; }} }}\nworker_processes {workers};\n\
             worker_cpu_affinity {affinity};\n"
        )
    };
    // All CPUs that a machine may have are worker 0's, but for the highest one.
    let all = "1".repeat(1023);
    let beyond = format!("{all} 1{}", "0".repeat(1023));
    let help = "connections go to the workers of the CPU that takes them in (\"dispatch\"); workers count from 0";
    for (workers, who) in [
        (2, "worker 1 can get no TCP connection, none of its"),
        (4, "workers 1, 2, 3 can get no TCP connection, none of their"),
    ] {
        let sentence = format!("{who} CPUs is there in c.conf:4");
        check("warn", &[(&conf(workers, &beyond, "reuseport cpu=1"), &sentence, "4:1", "worker_cpu_affinity", help)]);
    }
    let dir = tempfile::tempdir().unwrap();
    for (affinity, dispatch) in
        [(&beyond[..], "reuseport"), (&beyond, "exclusive"), (&all, "reuseport cpu=1"), ("auto", "reuseport cpu=1")]
    {
        assert_eq!(said(dir.path(), &conf(4, affinity, dispatch)), (true, Vec::new()), "{affinity} {dispatch}");
    }
}

#[test]
fn a_root_out_of_the_reach_of_disable_symlinks_is_found() {
    let dir = tempfile::tempdir().unwrap();
    open_to_all(dir.path());
    let inside = |name: &str| dir.path().join(name).display().to_string();
    for name in ["site/deep", "other"] {
        std::fs::create_dir_all(inside(name)).unwrap();
    }
    let (site, deep, other) = (inside("site"), inside("site/deep"), inside("other"));
    check_warnings(&[(
        &format!("root {site}; disable_symlinks outside from={site}/; location /o/ {{ alias {other}/; }}"),
        &format!("the alias \"{other}/\" is not beneath \"{site}/\": all of it is 403 by \"disable_symlinks outside\""),
        76 + 2 * site.len() as u32,
        &format!("{other}/"),
        "\"from=$document_root\", or no \"from\", allows what lies beneath each root and alias",
    )]);
    for inside in [
        format!("root {deep}; disable_symlinks outside from={site};"),
        format!("root {site}; disable_symlinks outside from={deep};"),
        format!("root {site}; disable_symlinks outside from=$document_root; location /o/ {{ alias {other}/; }}"),
        format!("root {site}; disable_symlinks outside; location /o/ {{ alias {other}/; }}"),
        format!("root {site}; disable_symlinks on from={site}; location /o/ {{ alias {other}/; }}"),
        format!("root {site}; disable_symlinks outside from={site}; location /o/ {{ alias {other}/; return 200; }}"),
    ] {
        let text = format!("events {{}} http {{ server {{ listen 8097; {inside} }} }}");
        assert_eq!(said(dir.path(), &text), (true, Vec::new()), "{text}");
    }
}
