fn main() {
    std::process::exit(drover::cli::run(std::env::args_os().skip(1)));
}
