"""models/local through a real tritonserver: tiny weights made here, and the real all-MiniLM-L6-v2."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from antiphon.triton import TritonOptions, TritonRuntime, TritonStartError
from tests.fixtures_triton import (
    GRPC_ERRORS,
    LOCAL_MODELS_PYTHON,
    MODELS,
    embedding_request,
    output,
    stream,
    text_of,
    text_request,
)

# The first test waits for torch to be imported and the models to load.
pytestmark = pytest.mark.timeout(240)

_HELLO = json.dumps([{"role": "system", "content": "Sing."}, {"role": "user", "content": "Grüße, choir 🎶"}])


async def test_a_language_model_streams_token_by_token_from_messages(local_models: GRPCInferenceServiceStub) -> None:
    request = text_request(
        "causal_lm",
        messages=_HELLO,
        stream=True,
        sampling_parameters='{"max_tokens": 20, "seed": 3, "ignore_eos": true}',
        return_finish_reason=True,
        return_num_input_tokens=True,
        return_num_output_tokens=True,
    )
    responses = await stream(local_models, request)
    assert len(responses) == 20
    assert sum(output(response, "num_output_tokens")[0] for response in responses) == 20
    assert output(responses[-1], "finish_reason")[0] == b"length"
    assert output(responses[0], "num_input_tokens")[0] > 5
    assert text_of(responses) == text_of(await stream(local_models, request)), "the seed decides"


async def test_the_chat_template_is_applied(local_models: GRPCInferenceServiceStub) -> None:
    parameters = '{"max_tokens": 1}'
    (response,) = await stream(local_models, text_request("causal_lm", messages=_HELLO, sampling_parameters=parameters))
    assert text_of([response]).startswith("<|system|>Sing.<|end|><|user|>Grüße, choir 🎶<|end|><|assistant|>")


async def test_streamed_and_whole_text_are_the_same_characters(local_models: GRPCInferenceServiceStub) -> None:
    """Byte-level tokens cut characters in pieces; none may be lost or sent broken."""
    parameters = json.dumps({"max_tokens": 120, "seed": 8, "ignore_eos": True, "temperature": 2})
    inputs: dict[str, Any] = {"sampling_parameters": parameters, "exclude_input_in_output": True}
    streamed = await stream(local_models, text_request("causal_lm", "A choir", stream=True, **inputs))
    whole = await stream(local_models, text_request("causal_lm", "A choir", **inputs))
    assert len(streamed) == 120
    assert text_of(streamed) == text_of(whole)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "the prompt is empty"),
        ({"text_input": "a", "messages": _HELLO}, "either text_input or messages"),
        ({"messages": '[{"role": "bard", "content": "x"}]'}, "chat template refuses these messages: unknown role bard"),
        ({"text_input": "la " * 300}, "context window of 256"),
    ],
)
async def test_a_prompt_that_cannot_be_used_is_an_invalid_argument(
    local_models: GRPCInferenceServiceStub, inputs: dict[str, str], message: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=message) as raised:
        await stream(local_models, text_request("causal_lm", **({"sampling_parameters": ""} | inputs)))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_cancelling_frees_the_models_threads(local_models: GRPCInferenceServiceStub) -> None:
    """The model has 4 threads, and each request would run for 200 tokens."""

    async def requests() -> AsyncIterator[pb.ModelInferRequest]:
        parameters = '{"max_tokens": 200, "ignore_eos": true}'
        yield text_request("causal_lm", "A", stream=True, sampling_parameters=parameters)

    async def first_then_cancel() -> None:
        call = local_models.ModelStreamInfer(requests(), metadata=GRPC_ERRORS)
        async for _ in call:
            call.cancel()
            break

    await asyncio.gather(*(first_then_cancel() for _ in range(8)))
    started = time.monotonic()
    await stream(local_models, text_request("causal_lm", "A", stream=True, sampling_parameters='{"max_tokens": 1}'))
    assert time.monotonic() - started < 1.0


async def test_real_weights_put_sentences_of_one_meaning_near_each_other(
    local_models: GRPCInferenceServiceStub,
) -> None:
    texts = [
        "A choir is singing in the church.",
        "A group of vocalists performs a hymn in a chapel.",
        "The stock market fell sharply on Monday.",
    ]
    rows = output(await local_models.ModelInfer(embedding_request("minilm", texts)), "embedding")
    assert rows.shape == (3, 384)
    near, far = rows[0] @ rows[1], rows[0] @ rows[2]
    assert near > 0.5 > 0.2 > far


async def test_an_embedding_model_takes_its_folder_from_its_configuration(
    local_models: GRPCInferenceServiceStub,
) -> None:
    response = await local_models.ModelInfer(embedding_request("tiny_embedding", ["a choir", "a bell calls twice"]))
    rows = output(response, "embedding")
    assert rows.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert output(response, "num_input_tokens")[0] == 4, "two words, [CLS] and [SEP]"


async def test_a_text_that_would_be_cut_silently_is_refused(local_models: GRPCInferenceServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=r"text\[1\] has \d+ tokens; the model takes at most 64") as raised:
        await local_models.ModelInfer(embedding_request("tiny_embedding", ["short", "choir " * 100]))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.usefixtures("local_weights")
async def test_a_model_without_weights_says_how_to_set_them() -> None:
    options = TritonOptions(
        repositories=(MODELS / "local",), models=("causal_lm",), python=LOCAL_MODELS_PYTHON, ready_timeout_s=90
    )
    with pytest.raises(TritonStartError, match="set the environment variable ANTIPHON_CAUSAL_LM_PATH"):
        async with TritonRuntime(options):
            pass
