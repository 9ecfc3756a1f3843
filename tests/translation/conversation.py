"""One conversation with all that most providers can say: authored, and sent to every one of them."""

from __future__ import annotations

import base64

from antiphon.v1 import chat_pb2, content_pb2, tools_pb2

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""One pixel."""
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
SYSTEM, QUESTION, THOUGHT, ANSWER = "Be brief.", "Where was this taken?", "Two places to look at.", "Let me look."
CALLS = {"call_1": ("weather", '{"city":"Rome"}'), "call_2": ("weather", '{"city":"Oslo"}')}
RESULTS = {"call_1": "sunny", "call_2": "snow"}


def conversation(model: str) -> chat_pb2.ChatSpec:
    """The request: a system prompt, a question with a picture, thought and two calls side by side, their results, and
    what is asked of the next answer."""
    spec = chat_pb2.ChatSpec(model=model, max_output_tokens=4096)
    _say(spec, content_pb2.ROLE_SYSTEM, SYSTEM)
    question = _say(spec, content_pb2.ROLE_USER, QUESTION)
    question.parts.add().media.CopyFrom(
        content_pb2.MediaPart(media_type="image/png", data=PNG, modality=content_pb2.MODALITY_IMAGE)
    )
    answer = spec.messages.add(role=content_pb2.ROLE_ASSISTANT)
    answer.parts.add().reasoning.text = THOUGHT
    answer.parts.add().text.text = ANSWER
    for call_id, (name, arguments) in CALLS.items():
        answer.parts.add().tool_call.CopyFrom(
            content_pb2.ToolCall(
                call_id=call_id,
                name=name,
                arguments_json=arguments,
                executor=content_pb2.TOOL_EXECUTOR_CLIENT,
            )
        )
    for call_id, text in RESULTS.items():
        message = spec.messages.add(role=content_pb2.ROLE_TOOL)
        result = message.parts.add().tool_result
        result.call_id, result.name, result.executor = call_id, CALLS[call_id][0], content_pb2.TOOL_EXECUTOR_CLIENT
        result.content.add().text.text = text
    spec.tools.append(weather())
    spec.tool_choice.mode = tools_pb2.ToolChoice.MODE_AUTO
    spec.response_format.json_schema.name = "place"
    spec.response_format.json_schema.schema_json = SCHEMA
    spec.response_format.json_schema.strict = True
    spec.reasoning.effort = "low"
    return spec


def question(model: str) -> chat_pb2.ChatSpec:
    """The least request."""
    spec = chat_pb2.ChatSpec(model=model, max_output_tokens=4096)
    _say(spec, content_pb2.ROLE_USER, QUESTION)
    return spec


def weather() -> tools_pb2.Tool:
    """A tool of the caller."""
    function = tools_pb2.FunctionTool(name="weather", description="The weather.", parameters_schema_json=SCHEMA)
    return tools_pb2.Tool(function=function)


def _say(spec: chat_pb2.ChatSpec, role: content_pb2.Role.ValueType, text: str) -> content_pb2.Message:
    message = spec.messages.add(role=role)
    message.parts.add().text.text = text
    return message
