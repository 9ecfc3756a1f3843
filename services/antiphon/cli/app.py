"""The `antiphon` command: its subcommands by name. Nothing heavy is imported before one of them runs."""

from __future__ import annotations

from typing import Annotated

import typer

from antiphon.cli import (
    cassettes_commands,
    chaos_commands,
    client_commands,
    exits,
    record_commands,
    replay_commands,
    server_commands,
)

app = typer.Typer(
    name="antiphon",
    help="One typed gRPC API to every LLM provider and to your own GPUs, with real recordings as answers in CI.",
    epilog=exits.HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
triton = typer.Typer(help="A real Triton Inference Server on this machine.", no_args_is_help=True)
keys = typer.Typer(help="Keys of callers.", no_args_is_help=True)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        try:
            typer.echo(f"antiphon {metadata.version('antiphon')}")
        except metadata.PackageNotFoundError:
            typer.echo("antiphon (from a checkout)")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """One typed gRPC API to every LLM provider and to your own GPUs, with real recordings as answers in CI."""


for command in (
    client_commands.chat,
    client_commands.embed,
    client_commands.models,
    client_commands.providers,
    client_commands.health,
    server_commands.up,
    server_commands.serve,
    replay_commands.replay,
    chaos_commands.chaos,
    record_commands.record,
    record_commands.drift,
    server_commands.demo,
):
    app.command(epilog=exits.HELP)(command)
triton.command("up")(server_commands.triton_up)
keys.command("new")(server_commands.keys_new)
app.add_typer(triton, name="triton")
app.add_typer(keys, name="keys")
app.add_typer(cassettes_commands.cassettes, name="cassettes")


def main() -> None:
    """Run the command; ends the process with a status of `exits`."""
    app()
