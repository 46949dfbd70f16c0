//! The title that ps(1) shows: the arguments in this process's memory, overwritten (ngx_setproctitle).

use std::fs;
use std::ptr;
use std::sync::OnceLock;

/// The memory where the kernel put the arguments.
#[derive(Debug, Clone, Copy)]
struct Area {
    start: usize,
    len: usize,
}

/// Shows `title` in place of the command line, cut to the command line's length, since the environment follows in
/// memory. Does nothing where /proc doesn't tell the addresses. To be called with one thread, and after the last use of
/// the arguments.
pub fn set_title(title: &str) {
    static AREA: OnceLock<Option<Area>> = OnceLock::new();
    let Some(area) = *AREA.get_or_init(find) else { return };
    let len = title.len().min(area.len - 1);
    let to: *mut u8 = ptr::with_exposed_provenance_mut(area.start);
    // SAFETY: the area is the argument strings on the initial stack, which the process owns, may write, and keeps
    // mapped for its whole life; no Rust object lies there. At least one NUL remains at the end, so that argv's
    // pointers stay C strings.
    unsafe {
        ptr::copy_nonoverlapping(title.as_ptr(), to, len);
        ptr::write_bytes(to.add(len), 0, area.len - len);
    }
}

/// Reads the addresses: fields 48 and 49 of proc_pid_stat(5), arg_start and arg_end. `None` unless the length is that
/// of /proc/self/cmdline.
fn find() -> Option<Area> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses that may hold blanks: the third follows its last ")".
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(48 - 3);
    let start: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    let shown = fs::read("/proc/self/cmdline").ok()?;
    let len = end.checked_sub(start)?;
    (start != 0 && len > 1 && shown.len() == len).then_some(Area { start, len })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::process::{self, Fork};

    #[test]
    fn a_title_is_shown_and_cut_to_fit() {
        let before = fs::read("/proc/self/cmdline").unwrap();
        // In a child, so that the test runner keeps its own.
        let pid = match process::fork().unwrap() {
            Fork::Child => {
                set_title("x: y");
                let short = fs::read("/proc/self/cmdline").unwrap();
                let short_fits = short.starts_with(b"x: y\0") && short.len() == before.len();
                set_title(&"z".repeat(before.len() * 2));
                let long = fs::read("/proc/self/cmdline").unwrap();
                let long_fits = long.len() == before.len() && long[long.len() - 2..] == *b"z\0";
                process::exit_now(if short_fits && long_fits { 0 } else { 1 })
            }
            Fork::Parent(pid) => pid,
        };
        let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
        assert_eq!(fs::read("/proc/self/cmdline").unwrap(), before);
    }
}
