//! `plastron completions`: a completion script for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::failure::Result;

const AFTER_HELP: &str = "\
Examples:
  plastron completions bash > /etc/bash_completion.d/plastron
  plastron completions zsh > ~/.zfunc/_plastron
  plastron completions fish > ~/.config/fish/completions/plastron.fish";

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the command.
    pub(crate) async fn run(self, context: &Context) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "plastron", &mut script);
        context.output.bytes(script).await
    }
}
