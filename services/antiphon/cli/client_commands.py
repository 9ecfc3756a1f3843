"""The commands that talk to a running server. Only signatures: what they do is imported when one runs."""

from __future__ import annotations

from typing import Annotated

import typer

from antiphon.cli import options as o


def _seconds(default: str) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(
        min=0.001,
        max=o.MAX_SECONDS,
        show_default=False,
        help=f"Seconds until the call is given up. (default: {default})",
    )
    return info


def chat(
    model: Annotated[str, typer.Argument(help="provider/model, an alias, or triton/model.")],
    text: Annotated[list[str], typer.Argument(help="The question; '-' reads standard input.")],
    system: Annotated[str, typer.Option(help="Instructions for the model.")] = "",
    image: Annotated[list[str] | None, typer.Option(help="Path or address of an image; repeatable.")] = None,
    max_output_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of the answer.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="Randomness, from 0.")] = None,
    stream: Annotated[
        bool | None,
        typer.Option("--stream/--no-stream", help="Print the answer as it comes. (default on a terminal: --stream)"),
    ] = None,
    server: o.Server = "",
    timeout: Annotated[float, _seconds("600")] = 600.0,
    mode: o.CallMode = None,
    replay: o.Replay = False,
    session: o.Session = "",
    as_json: o.Json = False,
) -> None:
    """Ask a model. The answer goes to standard output, everything around it to standard error."""
    from antiphon.cli import chat as work

    question = work.Question(
        model=model,
        text=work.words(text),
        system=system,
        images=image or (),
        max_output_tokens=max_output_tokens,
        temperature=temperature,
    )
    work.run(question, o.connection(server, timeout, mode, replay, session), stream=stream, as_json=as_json)


def embed(
    model: Annotated[str, typer.Argument(help="provider/model, an alias, or triton/model.")],
    text: Annotated[list[str], typer.Argument(help="Texts, each to become a vector.")],
    server: o.Server = "",
    timeout: Annotated[float, _seconds("120")] = 120.0,
    mode: o.CallMode = None,
    replay: o.Replay = False,
    session: o.Session = "",
    as_json: o.Json = False,
) -> None:
    """Turn texts into vectors, and show how alike they are."""
    from antiphon.cli import embed as work

    work.run(model, text, o.connection(server, timeout, mode, replay, session), as_json=as_json)


def models(
    provider: Annotated[str, typer.Option(help="Only models of this provider.")] = "",
    search: Annotated[str, typer.Option(help="Only models whose name holds this text.")] = "",
    server: o.Server = "",
    timeout: Annotated[float, _seconds("30")] = 30.0,
    mode: o.CallMode = None,
    replay: o.Replay = False,
    as_json: o.Json = False,
) -> None:
    """List what can be called, and the providers that could not be asked."""
    from antiphon.cli import models as work

    connection = o.connection(server, timeout, mode, replay, "")
    work.run(connection, provider=provider, search=search, as_json=as_json)


def providers(
    server: o.Server = "",
    timeout: Annotated[float, _seconds("30")] = 30.0,
    as_json: o.Json = False,
) -> None:
    """List the providers: which can be called, and what is missing where one cannot."""
    from antiphon.cli import providers as work

    work.run(o.connection(server, timeout, None, False, ""), as_json=as_json)


def health(
    watch: Annotated[bool, typer.Option("--watch", help="Go on and show every change, until Ctrl-C.")] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask only whether the process answers; needs no key. For a container's check."),
    ] = False,
    server: o.Server = "",
    timeout: Annotated[float, _seconds("10")] = 10.0,
    as_json: o.Json = False,
) -> None:
    """Show how the parts are: exit status 0 where all that is configured serves, 1 otherwise."""
    from antiphon.cli import health as work

    if watch and live:
        raise typer.BadParameter("--watch and --live exclude each other", param_hint="--live")
    work.run(o.connection(server, timeout, None, False, ""), as_json=as_json, watch=watch, live=live)
