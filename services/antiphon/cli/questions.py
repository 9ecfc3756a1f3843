"""What the demo asks, word for word: its recordings answer exactly these requests and no others.

`scripts/author_cassettes.py` writes those recordings from the same functions, so the two cannot drift apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from antiphon.cli.chat import Question, message
from antiphon.cli.render import calls_of
from antiphon.v1 import chat_pb2, content_pb2, tools_pb2

OPENAI: Final = "openai/gpt-4o-mini"
ANTHROPIC: Final = "anthropic/claude-sonnet-4-5"
CHAT_MODELS: Final = (OPENAI, ANTHROPIC)
EMBEDDING_MODEL: Final = "openai/text-embedding-3-small"
TRITON_TEXT: Final = "triton/ngram"
TRITON_EMBEDDING: Final = "triton/hashing_embedding"

WHAT: Final = "What is an antiphon?"
SING: Final = "Sing a short antiphon."
WEATHER: Final = "What is the weather in Paris?"
LISTEN: Final = "The first rule of answering"

SENTENCES: Final = (
    "One side of the choir calls and the other side answers.",
    "The choir calls on one side and answers on the other.",
    "Tomorrow it will rain in Paris.",
)
"""Two that say nearly the same in nearly the same words, and one that does not."""

WEATHER_TOOL: Final = tools_pb2.Tool(
    function=tools_pb2.FunctionTool(
        name="get_weather",
        description="The weather in a city now.",
        parameters_schema_json=json.dumps(
            {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Name of the city."}},
                "required": ["city"],
                "additionalProperties": False,
            }
        ),
    )
)


def ask(model: str, text: str) -> chat_pb2.ChatSpec:
    """A plain question, exactly as `antiphon chat MODEL TEXT` asks it."""
    return Question(model=model, text=text).spec()


def ask_weather(model: str) -> chat_pb2.ChatSpec:
    """The question that needs the tool."""
    return chat_pb2.ChatSpec(model=model, messages=[message(content_pb2.ROLE_USER, WEATHER)], tools=[WEATHER_TOOL])


def weather_in(arguments_json: str) -> Mapping[str, Any]:
    """The tool itself: a made-up weather, always the same. Raises ValueError for arguments that are not its own."""
    arguments = json.loads(arguments_json)
    if not isinstance(arguments, dict) or not isinstance(arguments.get("city"), str):
        raise ValueError(f"get_weather wants a city, and got {arguments_json}")  # noqa: TRY004 - the text is wrong
    return {"city": arguments["city"], "temperature_celsius": 18, "sky": "light rain"}


def with_results(spec: chat_pb2.ChatSpec, completion: chat_pb2.Completion) -> chat_pb2.ChatSpec:
    """The conversation gone on: the model's own messages as they came, then a result for each of its calls."""
    longer = chat_pb2.ChatSpec()
    longer.CopyFrom(spec)
    longer.messages.extend(completion.outputs[0].messages)
    results = longer.messages.add(role=content_pb2.ROLE_TOOL)
    for call in calls_of(completion):
        text = json.dumps(weather_in(call.arguments_json))
        result = content_pb2.ToolResult(call_id=call.call_id, name=call.name)
        result.content.add(text=content_pb2.TextPart(text=text))
        results.parts.add(tool_result=result)
    return longer
