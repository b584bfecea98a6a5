//! The command line of Tandem, and nothing else.

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A highly available DHCPv4 server.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until SIGTERM.
    Serve {
        /// The configuration.
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config } => serve(&config),
    }
}

fn serve(file: &Path) -> ExitCode {
    let (config, warnings) = match config::load(file) {
        Ok(loaded) => loaded,
        Err(report) => {
            eprintln!("{}", report.render(false));
            return ExitCode::FAILURE;
        }
    };
    match server::serve(config, &warnings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tandem: {error}");
            ExitCode::FAILURE
        }
    }
}
