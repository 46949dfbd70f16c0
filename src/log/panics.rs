//! Panics, which are bugs: logged, and caught where one client can be given up for all others.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    /// The next panic of this thread is logged, with the request, by the code that catches it.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    /// The words of the panic that is on its way there.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The words of a panic: where it was, and why.
#[derive(Debug)]
pub(crate) struct Panic(String);

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Has panics logged to the error log, but for those that `catch` hands to its caller. For the master, before it forks.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|info| note(info.to_string().replace('\n', " "))));
}

fn note(words: String) {
    if !IS_GUARDED.get() {
        return super::alert!("{words}");
    }
    // A panic while another one unwinds ends the process: nobody catches either.
    if let Some(first) = CAUGHT.replace(Some(words.clone())) {
        super::alert!("{first}");
        super::alert!("{words}");
    }
}

/// Does `work`; a panic in it is the caller's to log, and so is the state of all that `work` was changing.
#[inline]
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    let was_guarded = IS_GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    result.map_err(|_| Panic(CAUGHT.take().unwrap_or_else(|| "a panic without words".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The hook is the process's: without it a panic has no words here, and none that an earlier one left.
    #[test]
    fn a_panic_is_an_error_of_the_guarded_work_alone() {
        assert_eq!(catch(|| 7).unwrap(), 7);
        let outer = catch(|| {
            let inner = catch(|| -> u8 { panic!("on purpose") });
            assert!(IS_GUARDED.get(), "the outer guard goes on behind the inner one");
            CAUGHT.replace(Some("the second".to_owned()));
            inner.is_err()
        });
        assert!(outer.unwrap() && !IS_GUARDED.get());
        assert_eq!(catch(|| -> u8 { panic!("on purpose") }).unwrap_err().to_string(), "the second");
        assert_eq!(catch(|| -> u8 { panic!("on purpose") }).unwrap_err().to_string(), "a panic without words");
    }
}
