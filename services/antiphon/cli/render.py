"""An answer on the terminal: its text to standard output as it comes, everything around it dim to standard error."""

from __future__ import annotations

from rich.text import Text

from antiphon.cli import terminal
from antiphon.v1 import chat_pb2, content_pb2, usage_pb2


class AnswerPrinter:
    """Prints one answer, whole or event by event. Standard output gets the answer's text and nothing else."""

    def __init__(self) -> None:
        self._err = terminal.err()
        self._reasoning: set[tuple[int, int, int]] = set()
        self._at_line_start = True
        self._dim = False

    def event(self, event: chat_pb2.StreamChatResponse) -> bool:
        """Print what an event adds; whether it was content."""
        kind = event.WhichOneof("event")
        if kind == "part_started":
            started = event.part_started
            if started.part.HasField("reasoning"):
                self._reasoning.add((started.output_index, started.message_index, started.part_index))
            self.part(started.part)
            return True
        if kind == "part_delta":
            delta = event.part_delta
            key = (delta.output_index, delta.message_index, delta.part_index)
            if delta.WhichOneof("delta") == "text":
                self._say(delta.text, dim=key in self._reasoning)
            return True
        return False

    def part(self, part: content_pb2.Part) -> None:
        """Print a part, or as much of it as is there."""
        kind = part.WhichOneof("kind")
        if kind == "text":
            self._say(part.text.text)
        elif kind == "refusal":
            self._say(part.refusal)
        elif kind == "reasoning":
            self._say(part.reasoning.text, dim=True)
        elif kind in ("media", "code_result", "file_result", "search_result", "opaque"):
            self.aside(f"[{kind.replace('_', ' ')}; --json shows it]")

    def completion(self, completion: chat_pb2.Completion) -> None:
        """Print a whole answer's text."""
        for output in completion.outputs:
            if output.index:
                self.aside(f"answer {output.index + 1}")
            for message in output.messages:
                for part in message.parts:
                    self.part(part)

    def tool_calls(self, completion: chat_pb2.Completion) -> None:
        """Print the tool calls of a whole answer."""
        for call in calls_of(completion):
            given = call.arguments_json if call.WhichOneof("input") == "arguments_json" else call.text
            who = "" if call.executor in _CALLERS else " (run by the provider)"
            self.aside(f"tool call {call.name}({given}){who}", style="cyan")

    def warnings(self, completion: chat_pb2.Completion) -> None:
        """Print the warnings of an answer."""
        for warning in completion.warnings:
            field = f" {warning.field}:" if warning.field else ""
            self.aside(f"warning {warning.code}:{field} {warning.message}", style="yellow")

    def aside(self, text: str, *, style: str = "dim") -> None:
        """Print a line around the answer."""
        self.new_line()
        self._err.print(Text(terminal.line(text), style=style), soft_wrap=True)

    def new_line(self) -> None:
        """End the line at hand, if one is."""
        if not self._at_line_start:
            (self._err.print() if self._dim else terminal.write("\n"))
            self._at_line_start = True

    def _say(self, text: str, *, dim: bool = False) -> None:
        if not text:
            return
        if dim is not self._dim:
            self.new_line()
        self._dim = dim
        if dim:
            self._err.print(Text(terminal.safe(text), style="dim italic"), end="", soft_wrap=True)
        else:
            terminal.write(text)
        self._at_line_start = text.endswith("\n")


_CALLERS = (content_pb2.TOOL_EXECUTOR_UNSPECIFIED, content_pb2.TOOL_EXECUTOR_CLIENT)


def calls_of(completion: chat_pb2.Completion) -> list[content_pb2.ToolCall]:
    """The tool calls of an answer, in order."""
    return [
        part.tool_call
        for output in completion.outputs
        for message in output.messages
        for part in message.parts
        if part.HasField("tool_call")
    ]


def text_of(completion: chat_pb2.Completion) -> str:
    """The text of an answer's first output."""
    return "".join(
        part.text.text
        for output in completion.outputs[:1]
        for message in output.messages
        for part in message.parts
        if part.HasField("text")
    )


def tokens(usage: usage_pb2.Usage) -> str:
    """Tokens in words; a count that the provider did not give is a question mark."""
    into = str(usage.input_tokens) if usage.HasField("input_tokens") else "?"
    out = str(usage.output_tokens) if usage.HasField("output_tokens") else "?"
    cached = f" ({usage.cache_read_tokens} cached)" if usage.cache_read_tokens else ""
    reasoning = f" ({usage.reasoning_tokens} reasoning)" if usage.reasoning_tokens else ""
    return f"{into} in{cached}, {out} out{reasoning} tokens"


def summary(completion: chat_pb2.Completion, *, seconds: float, first_token: float | None = None) -> str:
    """One line on an answer: who, how much, why it ended, how long it took (in seconds)."""
    reasons = {chat_pb2.FinishReason.Name(output.finish_reason) for output in completion.outputs}
    said = [
        "/".join(name for name in (completion.provider, completion.model) if name),
        tokens(completion.usage),
        ", ".join(sorted(reason.removeprefix("FINISH_REASON_").lower() for reason in reasons)),
    ]
    if first_token is not None:
        said.append(f"first token {first_token:.2f} s")
    said.append(f"total {seconds:.2f} s")
    if completion.replayed:
        said.append("replayed from a recording")
    return " | ".join(item for item in said if item)
