"""Own models on Triton, as a backend."""

from __future__ import annotations

from contextlib import aclosing

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError, invalid
from antiphon.core.fold import Fold
from antiphon.core.health import answered
from antiphon.core.paging import page
from antiphon.core.streams import Events, published
from antiphon.core.telemetry.genai import operation
from antiphon.inference import tensors, text
from antiphon.inference.catalog import PREFIX, Repository
from antiphon.inference.triton import Triton
from antiphon.inference.unsupported import refused_or_warned
from antiphon.v1 import chat_pb2, embeddings_pb2, health_pb2, models_pb2, usage_pb2

EMBED_FIELDS = frozenset(
    {"model", "inputs", "normalize", "end_user_id", "on_unsupported", "provider_data", "form", "report_parameters"}
)  # fmt: skip


class Inference:
    """The services of the contract over one Triton server, which it owns the connection to."""

    def __init__(self, triton: Triton) -> None:
        self._triton = triton
        self._repository = Repository(triton)

    async def chat(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.Completion:
        """The model's answer."""
        fold = Fold()
        async with aclosing(self._events(spec, call, usage_pb2.Usage(), stream=False)) as events:
            async for event in events:
                fold.add(event)
        return fold.completion()

    def stream_chat(self, request: chat_pb2.StreamChatRequest, call: Call) -> Events:
        """The model's answer as numbered events."""
        used = usage_pb2.Usage()
        return published(self._events(request.spec, call, used, stream=True), request, lambda: used)

    async def _events(self, spec: chat_pb2.ChatSpec, call: Call, used: usage_pb2.Usage, *, stream: bool) -> Events:
        entry = await self._repository.entry(spec.model, "text")
        name = entry.model.provider_model_id
        inputs, warnings = text.inputs_for(
            spec, entry.inputs, stream=stream, default_max_tokens=entry.default_max_tokens
        )
        with operation(call, "chat", provider="triton", model=name, stream=stream) as op:
            finish_reasons: list[str] = []
            try:
                async with (
                    aclosing(self._triton.stream(name, inputs, op.call)) as results,
                    aclosing(text.events_of(results, name, used, warnings)) as events,
                ):
                    async for event in events:
                        if event.HasField("part_delta"):
                            op.first_chunk()
                        elif event.HasField("output_done"):
                            finish_reasons.append(event.output_done.output.provider_finish_reason)
                        elif event.HasField("completed"):
                            about = event.completed.completion
                            if spec.report_parameters:
                                limit = entry.default_max_tokens
                                about.parameter_fates.extend(text.fates_of(spec, default_max_tokens=limit))
                            op.finished(usage=used, model=name, response_id=about.id, finish_reasons=finish_reasons)
                        yield event
            except ServiceError as error:
                if error.reason is Reason.MODEL_NOT_FOUND:
                    self._repository.forget(name)
                raise
            finally:
                op.so_far(used)

    async def count_tokens(self, spec: chat_pb2.ChatSpec, call: Call) -> chat_pb2.CountTokensResponse:
        """Triton has no call for it. Raises ServiceError UNSUPPORTED_OPERATION."""
        raise ServiceError(
            Reason.UNSUPPORTED_OPERATION,
            "models on Triton count no tokens before a call; the usage of an answer tells",
            metadata={"provider": "triton"},
        )

    async def embed(self, request: embeddings_pb2.EmbedRequest, call: Call) -> embeddings_pb2.EmbedResponse:
        """The model's vectors, one an input, in their order."""
        entry = await self._repository.entry(request.model, "embedding")
        name = entry.model.provider_model_id
        warnings = _unsupported(request)
        texts = _texts(request)
        if entry.max_texts and len(texts) > entry.max_texts:
            raise invalid("inputs", f"has {len(texts)} texts; {PREFIX}{name} takes at most {entry.max_texts} at once")
        with operation(call, "embeddings", provider="triton", model=name) as op:
            result = await self._triton.infer(name, [tensors.texts("text", texts)], op.call)
            vectors = tensors.matrix(result, "embedding", len(texts))
            response = embeddings_pb2.EmbedResponse(model=name, provider="triton", warnings=warnings)
            if tokens := tensors.total(result, "num_input_tokens"):
                response.usage.input_tokens = response.usage.total_tokens = tokens
            if request.normalize:
                vectors = tensors.normalized(vectors)
            for index, vector in enumerate(vectors):
                response.embeddings.add(index=index).float32.values.extend(vector.tolist())
            op.finished(usage=response.usage, model=name)
            return response

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """The loaded models."""
        try:
            entries = await self._repository.entries()
        except ServiceError as error:
            gone = models_pb2.UnreachableProvider(provider="triton", reason=error.reason.value, message=error.message)
            return page((), request, [gone])
        return page((entry.model for entry in entries), request)

    async def get_model(self, request: models_pb2.GetModelRequest, call: Call) -> models_pb2.Model:
        """One loaded model."""
        entry = await self._repository.entry(request.name, "")
        model = models_pb2.Model()
        model.CopyFrom(entry.model)  # a gateway in this process adds its aliases to what it gets
        return model

    async def list_providers(
        self, request: models_pb2.ListProvidersRequest, call: Call
    ) -> models_pb2.ListProvidersResponse:
        """Triton, configured where it answers."""
        triton = models_pb2.Provider(
            name="triton", wire="triton_grpc", local=True, features=["chat", "streaming", "embeddings"]
        )
        try:
            triton.configured = await self._triton.ready()
            triton.missing = "" if triton.configured else "Triton answers but is not ready yet; its log says why"
        except ServiceError as error:
            triton.missing = error.message
        return models_pb2.ListProvidersResponse(providers=[triton])

    async def get_health(self, request: health_pb2.GetHealthRequest, call: Call) -> health_pb2.GetHealthResponse:
        """This service, Triton, and every model of its repository."""
        return answered("inference", await self._repository.health(), request)

    async def close(self) -> None:
        """Close the connection to Triton."""
        await self._triton.close()


def _texts(request: embeddings_pb2.EmbedRequest) -> list[str]:
    texts = []
    for number, item in enumerate(request.inputs):
        if item.WhichOneof("input") != "text":
            raise invalid(
                f"inputs[{number}].{item.WhichOneof('input')}",
                "is more than this model takes: text alone",
                reason=Reason.UNSUPPORTED_PARAMETER,
            )
        texts.append(item.text)
    return texts


def _unsupported(request: embeddings_pb2.EmbedRequest) -> list[chat_pb2.Warning]:
    paths = [field.name for field, _ in request.ListFields() if field.name not in EMBED_FIELDS]
    if request.encoding == embeddings_pb2.VECTOR_ENCODING_FLOAT32 and "encoding" in paths:
        paths.remove("encoding")
    return refused_or_warned(paths, request.on_unsupported)
