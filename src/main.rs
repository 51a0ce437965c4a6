//! The native tool; see [`portkey_envoy::tool`].

fn main() -> std::process::ExitCode {
    portkey_envoy::tool::main()
}
