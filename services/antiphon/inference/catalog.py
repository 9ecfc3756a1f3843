"""Triton's repository as models of the contract: what each is, read from its own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.core.errors import Reason, ServiceError
from antiphon.core.health import component
from antiphon.inference.triton import Triton
from antiphon.v1 import content_pb2, health_pb2, models_pb2

PREFIX = "triton/"
READY = "READY"
TEXT_BACKENDS = frozenset({"vllm", "tensorrtllm"})
BACKEND_MAX_TOKENS = 1024
"""Those backends stop after 16 tokens unless told otherwise, which nobody means who says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One loaded model.

    `contract` is "text", "embedding" or empty for one that this service cannot speak to. `default_max_tokens` is sent
    where a request sets no bound, 0 for leaving it to the model.
    """

    model: models_pb2.Model
    contract: str
    inputs: frozenset[str]
    max_texts: int
    default_max_tokens: int


class Repository:
    """The models of a Triton server. Configurations are read once a load: the index says when one has changed."""

    def __init__(self, triton: Triton) -> None:
        self._triton = triton
        self._entries: dict[str, tuple[tuple[str, ...], Entry]] = {}

    async def entries(self) -> list[Entry]:
        """Every loaded model."""
        loaded: dict[str, tuple[str, ...]] = {}
        for item in await self._triton.index():
            if item.state == READY:
                loaded[item.name] = (*loaded.get(item.name, ()), item.version)
        self._entries = {name: kept for name, kept in self._entries.items() if loaded.get(name) == kept[0]}
        for name, versions in loaded.items():
            if name not in self._entries:
                self._entries[name] = (versions, await self._read(name))
        return [entry for _, entry in self._entries.values()]

    async def entry(self, model: str, contract: str) -> Entry:
        """The loaded model "triton/<name>". Raises ServiceError MODEL_NOT_FOUND or UNSUPPORTED_OPERATION."""
        name = model.removeprefix(PREFIX)
        known = self._entries.get(name)
        entry = known[1] if known is not None else await self._read(name)
        self._entries.setdefault(name, (("",), entry))
        if contract and entry.contract != contract:
            wanted = {"text": "chat", "embedding": "embeddings"}[contract]
            raise ServiceError(
                Reason.UNSUPPORTED_OPERATION,
                f"{PREFIX}{name} is no model for {wanted}: its contract is {entry.contract or 'not known here'}",
                metadata={"provider": "triton", "model": name},
            )
        return entry

    def forget(self, model: str) -> None:
        """Read the configuration again next time: the model was not what it was taken for."""
        self._entries.pop(model.removeprefix(PREFIX), None)

    async def health(self) -> list[health_pb2.ComponentHealth]:
        """The server and every model of its repository."""
        try:
            index = await self._triton.index()
        except ServiceError as error:
            return [component("triton", health_pb2.STATUS_NOT_SERVING, error=error)]
        parts = [component("triton", health_pb2.STATUS_SERVING, f"{len(index)} models in the repository")]
        for item in index:
            status = health_pb2.STATUS_SERVING if item.state == READY else health_pb2.STATUS_NOT_SERVING
            parts.append(component(f"{PREFIX}{item.name}", status, item.reason or item.state.lower()))
        return parts

    async def _read(self, name: str) -> Entry:
        if not name:
            raise ServiceError(Reason.MODEL_NOT_FOUND, "name a model of Triton's as 'triton/<model>'")
        config = await self._triton.config(name)
        said = {key: value.string_value for key, value in config.parameters.items()}
        contract = said.get("antiphon_contract") or ("text" if config.backend in TEXT_BACKENDS else "")
        return Entry(
            model=_model(name, said, contract),
            contract=contract,
            inputs=frozenset(item.name for item in config.input),
            max_texts=_number(said, "antiphon_max_texts") or 0,
            default_max_tokens=_number(said, "antiphon_default_max_tokens")
            or (BACKEND_MAX_TOKENS if config.backend in TEXT_BACKENDS else 0),
        )


def _model(name: str, said: Mapping[str, str], contract: str) -> models_pb2.Model:
    model = models_pb2.Model(
        name=PREFIX + name,
        provider="triton",
        provider_model_id=name,
        display_name=name,
        description=said.get("antiphon_description", ""),
        owner=said.get("antiphon_provenance", ""),
        input_modalities=[content_pb2.MODALITY_TEXT],
    )
    model.capabilities.chat = model.capabilities.streaming = contract == "text"
    model.capabilities.embeddings = contract == "embedding"
    if contract == "text":
        model.output_modalities.append(content_pb2.MODALITY_TEXT)
    if (window := _number(said, "antiphon_context_window_tokens")) is not None:
        model.context_window_tokens = window
    if (dimensions := _number(said, "antiphon_embedding_dimensions")) is not None:
        model.embedding_dimensions = dimensions
    return model


def _number(said: Mapping[str, str], name: str) -> int | None:
    text = said.get(name, "")
    return int(text) if text.isdigit() else None
