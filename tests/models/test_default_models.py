"""models/default through a real tritonserver."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import grpc
import numpy as np
import pytest
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import InferInput
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from antiphon.triton import TritonServer
from tests.fixtures_triton import GRPC_ERRORS, embedding_request, output, stream, text_of, text_request

_ENDLESS = json.dumps({"max_tokens": 4000, "ignore_eos": True})


async def test_a_stream_comes_token_by_token_and_the_last_response_is_marked(triton: GRPCInferenceServiceStub) -> None:
    request = text_request(
        "ngram",
        "The choir",
        stream=True,
        sampling_parameters='{"max_tokens": 12, "seed": 4, "ignore_eos": true}',
        return_finish_reason=True,
        return_num_input_tokens=True,
        return_num_output_tokens=True,
    )
    responses = await stream(triton, request)
    assert len(responses) == 12
    finals = [response.parameters["triton_final_response"].bool_param for response in responses]
    assert finals == [False] * 11 + [True]
    reasons = [output(response, "finish_reason")[0] for response in responses]
    assert reasons == [b"None"] * 11 + [b"length"]
    assert [output(response, "num_output_tokens")[0] for response in responses] == [1] * 12
    assert output(responses[0], "num_input_tokens")[0] == 2


async def test_the_same_seed_gives_the_same_answer_streamed_or_whole(triton: GRPCInferenceServiceStub) -> None:
    async def answer(seed: int, *, streamed: bool) -> str:
        parameters = json.dumps({"max_tokens": 25, "seed": seed})
        inputs = {"stream": streamed, "exclude_input_in_output": True}
        return text_of(
            await stream(triton, text_request("ngram", "Two choirs", sampling_parameters=parameters, **inputs))
        )

    first = await answer(1, streamed=True)
    assert await answer(1, streamed=True) == first
    assert await answer(1, streamed=False) == first
    assert len({await answer(seed, streamed=False) for seed in range(6)}) > 1


async def test_a_whole_answer_is_one_response_with_the_prompt_before_it_unless_excluded(
    triton: GRPCInferenceServiceStub,
) -> None:
    parameters = '{"max_tokens": 8, "temperature": 0}'
    (with_prompt,) = await stream(triton, text_request("ngram", "A bell calls", sampling_parameters=parameters))
    (without,) = await stream(
        triton, text_request("ngram", "A bell calls", sampling_parameters=parameters, exclude_input_in_output=True)
    )
    assert text_of([with_prompt]) == "A bell calls and a whole town answers. The call"
    assert text_of([without]) == " and a whole town answers. The call"


async def test_a_stop_string_ends_the_answer(triton: GRPCInferenceServiceStub) -> None:
    request = text_request(
        "ngram",
        "A bell calls",
        stream=True,
        sampling_parameters='{"max_tokens": 50, "temperature": 0, "stop": ["town ans"]}',
        return_finish_reason=True,
    )
    responses = await stream(triton, request)
    assert text_of(responses) == " and a whole "
    assert output(responses[-1], "finish_reason")[0] == b"stop"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"sampling_parameters": '{"temprature": 1}'}, "'temprature' is not supported"),
        ({"stream": True, "exclude_input_in_output": False}, "exclude_input_in_output must be true"),
        ({"prompt": "word " * 9000}, "context window of 8192"),
    ],
)
async def test_a_request_that_breaks_the_contract_is_an_invalid_argument(
    triton: GRPCInferenceServiceStub, inputs: dict[str, str | bool], message: str
) -> None:
    request = text_request("ngram", **({"prompt": "A"} | inputs))  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError, match=message) as raised:
        await stream(triton, request)
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_cancelling_streams_stops_the_model_within_a_second(
    triton: GRPCInferenceServiceStub, triton_server: TritonServer
) -> None:
    """The model has 64 threads: 128 endless streams only get through when cancelling frees the threads."""

    async def requests() -> AsyncIterator[pb.ModelInferRequest]:
        yield text_request("ngram", "A", stream=True, sampling_parameters=_ENDLESS)

    async def first_then_cancel() -> None:
        call = triton.ModelStreamInfer(requests(), metadata=GRPC_ERRORS)
        async for _ in call:
            call.cancel()
            break

    await asyncio.wait_for(asyncio.gather(*(first_then_cancel() for _ in range(128))), 20)
    started = time.monotonic()
    short = text_request("ngram", "A", stream=True, sampling_parameters='{"max_tokens": 2}')
    await stream(triton, short)
    assert time.monotonic() - started < 1.0
    log = triton_server.log_file.read_text()
    assert "request failed" not in log


async def test_streams_go_side_by_side(triton: GRPCInferenceServiceStub) -> None:
    request = text_request("ngram", "A", stream=True, sampling_parameters='{"max_tokens": 40, "ignore_eos": true}')
    started = time.monotonic()
    await stream(triton, request)
    alone = time.monotonic() - started
    started = time.monotonic()
    await asyncio.gather(*(stream(triton, request) for _ in range(8)))
    assert time.monotonic() - started < 4 * alone


async def test_tritons_own_client_library_can_stream_and_cancel(triton_server: TritonServer) -> None:
    async def requests() -> AsyncIterator[dict[str, object]]:
        text = InferInput("text_input", [1], "BYTES")
        text.set_data_from_numpy(np.array([b"A choir"], dtype=np.object_))
        streamed = InferInput("stream", [1], "BOOL")
        streamed.set_data_from_numpy(np.array([True]))
        yield {"model_name": "ngram", "inputs": [text, streamed]}

    async with triton_aio.InferenceServerClient(triton_server.grpc_address) as client:
        answers = client.stream_infer(requests(), headers=dict(GRPC_ERRORS))
        async for result, error in answers:
            assert error is None
            assert result.as_numpy("text_output").shape == (1,)
            break
        assert answers.cancel()


async def test_an_embedding_is_one_row_per_text_and_near_where_wording_is(triton: GRPCInferenceServiceStub) -> None:
    texts = ["A choir sings in the church.", "The choirs are singing in a church", "Stock prices fell", "ö – ü"]
    response = await triton.ModelInfer(embedding_request("hashing_embedding", texts))
    rows = output(response, "embedding")
    assert rows.shape == (4, 256)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.4 > rows[0] @ rows[2]
    assert list(output(response, "num_input_tokens")) == [6, 7, 3, 2]


async def test_an_embedding_request_without_texts_is_an_invalid_argument(triton: GRPCInferenceServiceStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="1 to 2048 texts, not 2049") as raised:
        await triton.ModelInfer(embedding_request("hashing_embedding", ["a"] * 2049))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(("model", "contract"), [("ngram", "text"), ("hashing_embedding", "embedding")])
async def test_each_model_says_what_it_is_in_its_configuration(
    triton: GRPCInferenceServiceStub, model: str, contract: str
) -> None:
    config = (await triton.ModelConfig(pb.ModelConfigRequest(name=model))).config
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    assert parameters["antiphon_contract"] == contract
    assert parameters["antiphon_provenance"] == "authored"
    assert len(parameters["antiphon_description"]) > 40
    assert config.model_transaction_policy.decoupled == (contract == "text")
