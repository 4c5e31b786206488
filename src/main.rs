//! The `probity` command. All logic lives in the library.

fn main() -> std::process::ExitCode {
    probity::cli::main()
}
