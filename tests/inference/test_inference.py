"""The inference service against a real tritonserver on the CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.fold import fold
from antiphon.inference.service import Inference
from antiphon.inference.statistics import Statistics
from antiphon.inference.triton import Triton
from antiphon.triton import TritonServer
from antiphon.v1 import chat_pb2, content_pb2, embeddings_pb2, health_pb2, models_pb2


@pytest.fixture
async def inference(triton_server: TritonServer) -> AsyncIterator[Inference]:
    service = Inference(Triton(triton_server.grpc_address))
    yield service
    await service.close()


def question(text: str, model: str = "triton/ngram", **sampling: Any) -> chat_pb2.ChatSpec:
    spec = chat_pb2.ChatSpec(model=model, sampling=chat_pb2.Sampling(**sampling) if sampling else None)
    spec.messages.add(role=content_pb2.ROLE_USER).parts.add().text.text = text
    return spec


def text_of(completion: chat_pb2.Completion) -> str:
    return "".join(part.text.text for part in completion.outputs[0].messages[0].parts)


async def streamed(inference: Inference, spec: chat_pb2.ChatSpec) -> list[chat_pb2.StreamChatResponse]:
    async with aclosing(inference.stream_chat(chat_pb2.StreamChatRequest(spec=spec), Call())) as events:
        return [event async for event in events]


async def test_a_text_model_answers_with_usage_and_a_finish_reason(inference: Inference) -> None:
    spec = question("The choir", seed=7)
    spec.max_output_tokens = 12
    completion = await inference.chat(spec, Call())
    assert text_of(completion)
    assert completion.provider == "triton"
    assert completion.usage.output_tokens == 12
    assert completion.usage.input_tokens > 0
    assert completion.outputs[0].finish_reason == chat_pb2.FINISH_REASON_LENGTH


async def test_a_stream_comes_in_many_pieces_and_folds_to_the_unary_answer(inference: Inference) -> None:
    spec = question("The choir", seed=7)
    spec.max_output_tokens = 24
    events = await streamed(inference, spec)
    assert sum(event.HasField("part_delta") for event in events) > 5
    assert [event.sequence for event in events] == list(range(len(events)))
    whole, unary = fold(events), await inference.chat(spec, Call())
    assert text_of(whole) == text_of(unary)
    assert whole.usage == unary.usage
    assert whole.outputs[0].finish_reason == unary.outputs[0].finish_reason


async def test_embeddings_keep_the_order_of_inputs_and_near_texts_are_nearer(inference: Inference) -> None:
    texts = ["the choir sings an antiphon", "a choir sings antiphons", "invoices are due in March"]
    request = embeddings_pb2.EmbedRequest(
        model="triton/hashing_embedding", inputs=[embeddings_pb2.EmbedInput(text=text) for text in texts]
    )
    response = await inference.embed(request, Call())
    vectors = [list(item.float32.values) for item in response.embeddings]
    assert [item.index for item in response.embeddings] == [0, 1, 2]
    assert {len(vector) for vector in vectors} == {256}
    near = sum(a * b for a, b in zip(vectors[0], vectors[1], strict=True))
    far = sum(a * b for a, b in zip(vectors[0], vectors[2], strict=True))
    assert near > far + 0.2
    assert response.usage.input_tokens > 0


async def test_models_say_what_they_are(inference: Inference) -> None:
    listed = await inference.list_models(models_pb2.ListModelsRequest(), Call())
    models = {model.name: model for model in listed.models}
    assert models["triton/ngram"].capabilities.chat
    assert "n-gram" in models["triton/ngram"].description
    assert models["triton/hashing_embedding"].embedding_dimensions == 256
    assert not models["triton/hashing_embedding"].capabilities.chat
    one = await inference.get_model(models_pb2.GetModelRequest(name="triton/ngram"), Call())
    assert one == models["triton/ngram"]


async def test_health_names_the_server_and_each_model(inference: Inference) -> None:
    health = await inference.get_health(health_pb2.GetHealthRequest(), Call())
    parts = {part.name: part.status for part in health.components}
    assert parts["triton"] == parts["triton/ngram"] == health_pb2.STATUS_SERVING


async def test_leaving_streams_frees_their_places_inside_triton_within_a_second(inference: Inference) -> None:
    """The model runs 64 requests at once, each for half a minute: a request after 64 left ones would have to wait."""

    async def leave() -> None:
        spec = question("The choir", seed=3)
        spec.max_output_tokens = 4000
        async with aclosing(inference.stream_chat(chat_pb2.StreamChatRequest(spec=spec), Call())) as events:
            async for event in events:
                if event.HasField("part_delta"):
                    return

    await asyncio.gather(*(leave() for _ in range(64)))
    left = time.monotonic()
    spec = question("The choir", seed=3)
    spec.max_output_tokens = 2
    await inference.chat(spec, Call())
    assert time.monotonic() - left < 1


async def test_triton_counts_become_metrics(inference: Inference, triton_server: TritonServer) -> None:
    reader = InMemoryMetricReader()
    triton = Triton(triton_server.grpc_address)
    statistics = Statistics(triton, MeterProvider([reader]).get_meter("test"))
    spec = question("The choir")
    spec.max_output_tokens = 2
    await inference.chat(spec, Call())
    await statistics.look()
    data: Any = reader.get_metrics_data()
    points = {
        (metric.name, point.attributes["antiphon.model"]): point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }
    assert points["antiphon.triton.inference.success", "ngram"] >= 1
    assert points["antiphon.triton.compute.time", "ngram"] > 0
    await triton.close()


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("triton/nothing", Reason.MODEL_NOT_FOUND),
        ("triton/", Reason.MODEL_NOT_FOUND),
        ("triton/hashing_embedding", Reason.UNSUPPORTED_OPERATION),
    ],
)
async def test_a_wrong_model_says_what_to_do(inference: Inference, model: str, reason: Reason) -> None:
    with pytest.raises(ServiceError) as caught:
        await inference.chat(question("hi", model), Call())
    assert caught.value.reason is reason


async def test_a_field_without_a_place_is_an_error_or_a_warning_by_choice(inference: Inference) -> None:
    spec = question("The choir", seed=1)
    spec.max_output_tokens = 3
    spec.tools.add().function.name = "look"
    with pytest.raises(ServiceError) as caught:
        await inference.chat(spec, Call())
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.violations[0].field == "spec.tools"
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    completion = await inference.chat(spec, Call())
    assert [warning.field for warning in completion.warnings] == ["spec.tools"]


async def test_each_parameter_has_a_fate_on_request(inference: Inference) -> None:
    spec = question("The choir", seed=1)
    spec.max_output_tokens = 3
    spec.end_user_id = "u"
    spec.verbosity = "low"
    spec.sampling.stop.extend(["one", "two"])
    spec.on_unsupported = chat_pb2.UNSUPPORTED_POLICY_WARN
    assert not (await inference.chat(spec, Call())).parameter_fates
    spec.report_parameters = True
    told = {fate.field: fate for fate in (await inference.chat(spec, Call())).parameter_fates}
    assert {path: fate.outcome for path, fate in told.items()} == {
        "spec.end_user_id": chat_pb2.PARAMETER_OUTCOME_NOT_SENT,
        "spec.max_output_tokens": chat_pb2.PARAMETER_OUTCOME_APPLIED,
        "spec.sampling.seed": chat_pb2.PARAMETER_OUTCOME_APPLIED,
        "spec.sampling.stop": chat_pb2.PARAMETER_OUTCOME_APPLIED,
        "spec.verbosity": chat_pb2.PARAMETER_OUTCOME_REFUSED,
    }
    assert list(told["spec.max_output_tokens"].sent_as) == ["tensor sampling_parameters: max_tokens"]


async def test_a_sampling_value_out_of_range_is_the_callers_error(inference: Inference) -> None:
    with pytest.raises(ServiceError) as caught:
        await inference.chat(question("hi", top_p=7.0), Call())
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert "top_p" in caught.value.message


async def test_an_unreachable_triton_says_how_to_start_one() -> None:
    service = Inference(Triton("127.0.0.1:1"))
    call = Call(deadline=asyncio.get_running_loop().time() + 5)
    with pytest.raises(ServiceError) as caught:
        await service.chat(question("hi"), call)
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE
    assert "antiphon triton up" in caught.value.message
    listed = await service.list_models(models_pb2.ListModelsRequest(), call)
    assert [item.provider for item in listed.unreachable_providers] == ["triton"]
    health = await service.get_health(health_pb2.GetHealthRequest(), call)
    assert health.status == health_pb2.STATUS_NOT_SERVING
    await service.close()
