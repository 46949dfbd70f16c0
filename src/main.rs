/// Survives a shortage of memory, where a process would end.
#[global_allocator]
static ALLOCATOR: drover::os::memory::Allocator = drover::os::memory::Allocator;

fn main() {
    std::process::exit(drover::cli::run(std::env::args_os().skip(1)));
}
