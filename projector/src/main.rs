use std::process::ExitCode;

use clap::Parser;
use projector::cli::Cli;
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = Runtime::new().map_err(Into::into).and_then(|runtime| {
        let result = runtime.block_on(cli.run());
        // Everything has ended in order by now, but a call of librdkafka may still wait for a Kafka
        // that is away.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("projector: {error:#}");
            ExitCode::FAILURE
        }
    }
}
