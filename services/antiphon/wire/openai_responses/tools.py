"""Tools, in both directions: one row a type of tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from antiphon.v1 import content_pb2, tools_pb2
from antiphon.wire.fields import REQUEST, Fields, Place, object_at, objects, whole_text
from antiphon.wire.jsontext import Json, JsonObject, loads, text_of
from antiphon.wire.openai_responses.content import address, read_address
from antiphon.wire.openai_responses.mcp import lift_mcp, lower_mcp
from antiphon.wire.openai_responses.quirks import WIRE
from antiphon.wire.openai_responses.spelling import spell, spelled
from antiphon.wire.openai_responses.writer import Writer

Tool = tools_pb2.Tool

_FUNCTION = Fields(
    tools_pb2.FunctionTool,
    name="name",
    description="description",
    parameters="parameters_schema_json",
    strict="strict",
    defer_loading="defer_loading",
    output_schema="output_schema_json",
)
_CUSTOM = Fields(tools_pb2.CustomTool, name="name", description="description")
_GRAMMAR = Fields(tools_pb2.Grammar, syntax="syntax", definition="definition")
_LOCATION = Fields(tools_pb2.UserLocation, city="city", region="region", country="region_code", timezone="time_zone")
_DOMAINS = Fields(
    tools_pb2.WebSearchTool,
    allowed_domains="allowed_domains",
    blocked_domains="blocked_domains",
    excluded_domains="blocked_domains",  # xAI
)
_RANKING = Fields(tools_pb2.FileSearchTool, ranker="ranker", score_threshold="score_threshold")
_WEIGHTS = Fields(tools_pb2.FileSearchTool, embedding_weight="embedding_weight", text_weight="text_weight")
_CONTAINER = Fields(tools_pb2.CodeExecutionTool, file_ids="file_ids", memory_limit="memory_limit")
_SHELL = Fields(
    tools_pb2.ShellTool,
    type="environment",
    container_id="container_id",
    file_ids="file_ids",
    memory_limit="memory_limit",
)
_COMMON = Fields(Tool, allowed_callers="allowed_callers")
_DEFERRED = Fields(Tool, defer_loading="defer_loading")
_EXCLUDED = "excluded_domains"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A type of tool."""

    kind: str
    """Field of Tool."""
    fields: Fields


_SEARCH = _Row(
    kind="web_search",
    fields=Fields(
        tools_pb2.WebSearchTool,
        search_context_size="context_size",
        external_web_access="live",
        search_content_types="content_types",
        enable_image_understanding="image_understanding",
    ),
)
_COMPUTER = Fields(
    tools_pb2.ComputerTool,
    display_width="display_width_px",
    display_height="display_height_px",
    environment="environment",
)
ROWS: Mapping[str, _Row] = {
    "web_search": _SEARCH,
    "web_search_2025_08_26": _SEARCH,
    "web_search_preview": _SEARCH,
    "web_search_preview_2025_03_11": _SEARCH,
    "file_search": _Row(
        kind="file_search",
        fields=Fields(tools_pb2.FileSearchTool, vector_store_ids="store_ids", max_num_results="max_results"),
    ),
    "code_interpreter": _Row(kind="code_execution", fields=Fields(tools_pb2.CodeExecutionTool)),
    "computer": _Row(kind="computer", fields=_COMPUTER),
    "computer_use_preview": _Row(kind="computer", fields=_COMPUTER),
    "shell": _Row(kind="shell", fields=Fields(tools_pb2.ShellTool)),
    "local_shell": _Row(kind="shell", fields=Fields(tools_pb2.ShellTool)),
    "apply_patch": _Row(kind="text_editor", fields=Fields(tools_pb2.TextEditorTool)),
    "image_generation": _Row(
        kind="image_generation",
        fields=Fields(
            tools_pb2.ImageGenerationTool,
            model="model",
            size="size",
            quality="quality",
            output_format="format",
            output_compression="compression",
            background="background",
            input_fidelity="input_fidelity",
            moderation="moderation",
            partial_images="partial_images",
            action="action",
        ),
    ),
    "tool_search": _Row(
        kind="tool_search",
        fields=Fields(
            tools_pb2.ToolSearchTool,
            execution="execution",
            description="description",
            parameters="parameters_schema_json",
        ),
    ),
    "x_search": _Row(
        kind="post_search",
        fields=Fields(
            tools_pb2.PostSearchTool,
            allowed_x_handles="allowed_handles",
            excluded_x_handles="excluded_handles",
            from_date="from_date",
            to_date="to_date",
            enable_image_understanding="image_understanding",
            enable_video_understanding="video_understanding",
        ),
    ),
}
_USUAL = {
    "web_search": "web_search",
    "file_search": "file_search",
    "code_execution": "code_interpreter",
    "computer": "computer",
    "shell": "shell",
    "text_editor": "apply_patch",
    "image_generation": "image_generation",
    "tool_search": "tool_search",
    "post_search": "x_search",
}
"""Type that is written for a tool of another wire."""


def lift_tools(given: Json, tools: Callable[[], Tool], place: Place) -> None:
    """Read a list of tools; `tools` adds one."""
    if given is not None and not (isinstance(given, list) and all(isinstance(item, dict) for item in given)):
        place.wrong("tools", "must be a list of objects")
    for number, item in enumerate(objects(given)):
        tool = tools()
        _lift_tool(item, tool, place.at("tools").at(number))
        writer = Writer(direction=place.direction)
        writer.keep(tool, _lowered(tool, writer, "") or {}, item)


def lower_tools(tools: Iterable[Tool], writer: Writer, path: str) -> list[JsonObject]:
    """The list of tools."""
    items = []
    for number, tool in enumerate(tools):
        lowered = _lowered(tool, writer, f"{path}[{number}]")
        if lowered is not None:
            items.append(writer.restore(tool, lowered))
    return items


def type_of(tool: Tool) -> str:
    """The wire's type of a tool; empty where it has none."""
    kind = tool.WhichOneof("tool") or ""
    own = tool.provider_type
    if own in ROWS and ROWS[own].kind == kind:
        return own
    return {"function": "function", "custom": "custom", "mcp": "mcp", "namespace": "namespace"}.get(
        kind, _USUAL.get(kind, own if kind == "provider" else "")
    )


def _lift_tool(item: JsonObject, tool: Tool, place: Place) -> None:
    type_ = item.get("type")
    special = _LIFTS.get(type_) if isinstance(type_, str) else None
    if special is not None:
        special(item, tool, place)
        return
    row = ROWS.get(type_) if isinstance(type_, str) else None
    if row is None or not isinstance(type_, str):
        tool.provider.wire, tool.provider.config_json = WIRE, text_of(item)
        tool.provider_type = whole_text(type_) if isinstance(type_, str) else ""
        return
    target = getattr(tool, row.kind)
    target.SetInParent()
    tool.provider_type = type_
    row.fields.lift(item, target, place)
    _COMMON.lift(item, tool, place)
    if row.kind in _EXTRA:
        _EXTRA[row.kind][0](item, tool, place)


def _lowered(tool: Tool, writer: Writer, path: str) -> JsonObject | None:
    kind = tool.WhichOneof("tool")
    if kind == "provider" and tool.provider.wire in (WIRE, writer.quirks.provider):
        config = loads(tool.provider.config_json)
        return config if isinstance(config, dict) else {}
    type_ = type_of(tool)
    if tool.HasField("cache_breakpoint"):
        writer.unsupported(f"{path}.cache_breakpoint", "tools take no breakpoint here; set it on a part of a message")
    if kind is None or not type_ or kind == "provider":
        what = tool.provider_type or kind or "no kind of tool"
        writer.unsupported(path, f"this wire has no tool such as '{what}'; give a function instead")
        return None
    if kind in _LOWERS:
        return _LOWERS[kind](tool, writer, path)
    lowered = ROWS[type_].fields.lower(getattr(tool, kind), {"type": type_})
    _COMMON.lower(tool, lowered)
    if kind in _EXTRA:
        _EXTRA[kind][1](tool, lowered, writer, path)
    return lowered


def _lift_function(item: JsonObject, tool: Tool, place: Place) -> None:
    tool.function.SetInParent()
    _FUNCTION.lift(item, tool.function, place)
    _COMMON.lift(item, tool, place)


def _lower_function(tool: Tool, writer: Writer, path: str) -> JsonObject:
    function = tool.function
    lowered = _FUNCTION.lower(function, {"type": "function", "name": function.name})
    lowered.setdefault("parameters", None)
    if "strict" not in lowered:
        # The provider's default is true, and refuses many a schema that other wires take.
        lowered["strict"] = None if writer.direction != REQUEST else False
    _COMMON.lower(tool, lowered)
    if function.input_examples_json:
        writer.unsupported(f"{path}.function.input_examples_json", "this wire takes no examples; put them in words")
    return lowered


def _lift_custom(item: JsonObject, tool: Tool, place: Place) -> None:
    tool.custom.SetInParent()
    _CUSTOM.lift(item, tool.custom, place)
    _COMMON.lift(item, tool, place)
    _DEFERRED.lift(item, tool, place)
    form = object_at(item, "format")
    if form.get("type") == "grammar":
        tool.custom.grammar.SetInParent()
        _GRAMMAR.lift(form, tool.custom.grammar, place)
    elif form.get("type") == "text":
        spell(tool, "text", place.direction)


def _lower_custom(tool: Tool, writer: Writer, path: str) -> JsonObject:
    lowered = _CUSTOM.lower(tool.custom, {"type": "custom", "name": tool.custom.name})
    if tool.custom.HasField("grammar"):
        lowered["format"] = _GRAMMAR.lower(tool.custom.grammar, {"type": "grammar"})
    elif spelled(tool, "text", writer.direction):
        lowered["format"] = {"type": "text"}
    return _COMMON.lower(tool, _DEFERRED.lower(tool, lowered))


def _lift_namespace(item: JsonObject, tool: Tool, place: Place) -> None:
    tool.namespace.SetInParent()
    for key in ("name", "description"):
        if isinstance(item.get(key), str):
            setattr(tool.namespace, key, whole_text(item[key]))
    lift_tools(item.get("tools"), tool.namespace.tools.add, place)


def _lower_namespace(tool: Tool, writer: Writer, path: str) -> JsonObject:
    inner = tool.namespace
    tools = lower_tools(inner.tools, writer, f"{path}.namespace.tools")
    return {"type": "namespace", "name": inner.name, "description": inner.description, "tools": tools}


def _lift_search(item: JsonObject, tool: Tool, place: Place) -> None:
    search, filters = tool.web_search, object_at(item, "filters")
    _DOMAINS.lift(filters, search, place)
    if _EXCLUDED in filters:
        spell(tool, _EXCLUDED, place.direction)
    location = item.get("user_location")
    if isinstance(location, dict):
        search.user_location.SetInParent()
        _LOCATION.lift(location, search.user_location, place.at("user_location"))


def _lower_search(tool: Tool, lowered: JsonObject, writer: Writer, path: str) -> None:
    search = tool.web_search
    filters: JsonObject = {"allowed_domains": list(search.allowed_domains)} if search.allowed_domains else {}
    if search.blocked_domains:
        name = _EXCLUDED if spelled(tool, _EXCLUDED, writer.direction) else "blocked_domains"
        filters[name] = list(search.blocked_domains)
    if filters:
        lowered["filters"] = filters
    if search.HasField("user_location"):
        lowered["user_location"] = _LOCATION.lower(search.user_location, {"type": "approximate"})
    if search.HasField("max_uses"):
        why = "this wire bounds all tools together; give spec.max_tool_calls"
        writer.unsupported(f"{path}.web_search.max_uses", why)


def _lift_files(item: JsonObject, tool: Tool, place: Place) -> None:
    ranking = object_at(item, "ranking_options")
    _RANKING.lift(ranking, tool.file_search, place)
    _WEIGHTS.lift(object_at(ranking, "hybrid_search"), tool.file_search, place)
    if isinstance(item.get("filters"), dict):
        tool.file_search.filter = text_of(item["filters"])


def _lower_files(tool: Tool, lowered: JsonObject, writer: Writer, path: str) -> None:
    search = tool.file_search
    ranking = _RANKING.lower(search, {})
    if weights := _WEIGHTS.lower(search, {}):
        ranking["hybrid_search"] = weights
    if ranking:
        lowered["ranking_options"] = ranking
    if search.filter:
        try:
            lowered["filters"] = loads(search.filter)
        except ValueError:
            why = "this wire takes a filter as JSON, such as a comparison of an attribute"
            writer.unsupported(f"{path}.file_search.filter", why)


def _lift_code(item: JsonObject, tool: Tool, place: Place) -> None:
    code, container = tool.code_execution, item.get("container")
    if isinstance(container, str):
        code.container_id = whole_text(container)
    elif isinstance(container, dict):
        _CONTAINER.lift(container, code, place.at("container"))
        policy = object_at(container, "network_policy")
        if isinstance(policy.get("type"), str):
            code.network = whole_text(policy["type"])
            domains = policy.get("allowed_domains")
            if isinstance(domains, list) and all(isinstance(domain, str) for domain in domains):
                code.allowed_domains.extend(map(whole_text, domains))


def _lower_code(tool: Tool, lowered: JsonObject, writer: Writer, path: str) -> None:
    code = tool.code_execution
    if code.container_id:
        lowered["container"] = code.container_id
        return
    container = _CONTAINER.lower(code, {"type": "auto"})
    if code.network:
        container["network_policy"] = {"type": code.network}
        if code.allowed_domains:
            container["network_policy"]["allowed_domains"] = list(code.allowed_domains)
    lowered["container"] = container


def _lift_shell(item: JsonObject, tool: Tool, place: Place) -> None:
    _SHELL.lift(object_at(item, "environment"), tool.shell, place.at("environment"))


def _lower_shell(tool: Tool, lowered: JsonObject, writer: Writer, path: str) -> None:
    if environment := _SHELL.lower(tool.shell, {}):
        lowered["environment"] = environment


def _lift_image(item: JsonObject, tool: Tool, place: Place) -> None:
    mask = object_at(item, "input_image_mask")
    if isinstance(mask.get("file_id"), str):
        tool.image_generation.mask.file_id = whole_text(mask["file_id"])
    elif isinstance(mask.get("image_url"), str):
        read_address(mask["image_url"], tool.image_generation.mask)


def _lower_image(tool: Tool, lowered: JsonObject, writer: Writer, path: str) -> None:
    mask: content_pb2.MediaPart = tool.image_generation.mask
    if mask.WhichOneof("source") == "file_id":
        lowered["input_image_mask"] = {"file_id": mask.file_id}
    elif mask.WhichOneof("source") is not None:
        lowered["input_image_mask"] = {"image_url": address(mask, "image/png")}


_LIFTS: Mapping[str, Callable[[JsonObject, Tool, Place], None]] = {
    "function": _lift_function,
    "custom": _lift_custom,
    "mcp": lift_mcp,
    "namespace": _lift_namespace,
}
_LOWERS: Mapping[str, Callable[[Tool, Writer, str], JsonObject]] = {
    "function": _lower_function,
    "custom": _lower_custom,
    "mcp": lower_mcp,
    "namespace": _lower_namespace,
}
_EXTRA: Mapping[
    str, tuple[Callable[[JsonObject, Tool, Place], None], Callable[[Tool, JsonObject, Writer, str], None]]
] = {
    "web_search": (_lift_search, _lower_search),
    "file_search": (_lift_files, _lower_files),
    "code_execution": (_lift_code, _lower_code),
    "shell": (_lift_shell, _lower_shell),
    "image_generation": (_lift_image, _lower_image),
}
