"""The suite in containers, as compose.yaml describes them: called from outside, over gRPC, like any client."""

from __future__ import annotations

import docker
import grpc.aio
import pytest
from docker.models.containers import Container

from antiphon.core.errors import Reason
from antiphon.core.status import from_rpc_error
from antiphon.v1 import (
    chat_pb2,
    chat_pb2_grpc,
    content_pb2,
    embeddings_pb2,
    embeddings_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
)
from tests.e2e.compose.composition import Stack

# The first test of a fixture builds an image and starts containers.
pytestmark = pytest.mark.timeout(900)

GATEWAY_PORT = 50051
CALL_SECONDS = 30
PROMPT_SECONDS = 5
MEGABYTE = 1_000_000
LARGEST_ADDITION = 220 * MEGABYTE
"""How much the image may add to its base: the packages of requirements/runtime.lock are nearly all of it."""


def question(model: str, text: str) -> chat_pb2.ChatSpec:
    part = content_pb2.Part(text=content_pb2.TextPart(text=text))
    return chat_pb2.ChatSpec(model=model, messages=[content_pb2.Message(role=content_pb2.ROLE_USER, parts=[part])])


def text_of(completion: chat_pb2.Completion) -> str:
    return "".join(part.text.text for message in completion.outputs[0].messages for part in message.parts)


def said_in(container: Container, *command: str) -> tuple[int, str]:
    """Exit status and output of a command that is run in the container."""
    status, output = container.exec_run(list(command))
    assert status is not None
    assert isinstance(output, bytes)
    return status, output.decode(errors="replace")


def test_the_image_is_small_and_holds_neither_tools_nor_tests(
    engine: docker.DockerClient, service_image: str, base: str
) -> None:
    image = engine.images.get(service_image)
    assert image.attrs["Size"] - engine.images.get(base).attrs["Size"] < LARGEST_ADDITION
    assert image.attrs["Config"]["User"] == "10001:10001"
    look = (
        "ls /opt/antiphon/bin; find / -xdev -path '*/site-packages/antiphon/*' -name 'test_*'; ls -d /tools /dist 2>&1"
    )
    listing = engine.containers.run(service_image, ["-c", f"{look}; true"], entrypoint="sh", remove=True).decode()
    assert "antiphon" in listing.split()
    assert "pip" not in listing.split()
    assert "test_" not in listing
    assert listing.count("No such file") == 2


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"])
async def test_a_recorded_chat_is_answered_across_containers(replay: Stack, model: str) -> None:
    async with grpc.aio.insecure_channel(replay.address("gateway-replay", GATEWAY_PORT)) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        request = chat_pb2.ChatRequest(spec=question(model, "What is an antiphon?"))
        response = await stub.Chat(request, timeout=CALL_SECONDS)
    assert text_of(response.completion)
    assert response.completion.usage.output_tokens > 0


async def test_a_recorded_stream_arrives_in_pieces_across_containers(replay: Stack) -> None:
    async with grpc.aio.insecure_channel(replay.address("gateway-replay", GATEWAY_PORT)) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        request = chat_pb2.StreamChatRequest(
            spec=question("openai/gpt-4o-mini", "Sing a short antiphon."), snapshot=True
        )
        events = [event async for event in stub.StreamChat(request, timeout=CALL_SECONDS)]
    pieces = [event.part_delta.text for event in events if event.WhichOneof("event") == "part_delta"]
    assert len(pieces) >= 3
    assert "".join(pieces) == text_of(events[-1].completed.completion)


async def test_a_question_without_a_recording_is_refused_and_not_sent(replay: Stack) -> None:
    async with grpc.aio.insecure_channel(replay.address("gateway-replay", GATEWAY_PORT)) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        request = chat_pb2.ChatRequest(spec=question("openai/gpt-4o-mini", "Has anyone recorded this?"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Chat(request, timeout=CALL_SECONDS)
    assert from_rpc_error(caught.value).reason is Reason.RECORDING_MISSING


@pytest.mark.parametrize("name", ["gateway-replay", "adapter-replay"])
def test_a_service_can_write_nothing_but_its_tmp(replay: Stack, name: str) -> None:
    container = replay.containers[name]
    assert said_in(container, "id", "-u") == (0, "10001\n")
    status, output = said_in(container, "sh", "-c", "echo x > /srv/x")
    assert status != 0
    assert "Read-only file system" in output
    assert said_in(container, "sh", "-c", "echo x > /tmp/x")[0] == 0
    _, capabilities = said_in(container, "grep", "CapEff", "/proc/1/status")
    assert int(capabilities.split()[1], 16) == 0


def test_the_replaying_adapter_is_on_networks_without_a_way_out(engine: docker.DockerClient, replay: Stack) -> None:
    container = replay.containers["adapter-replay"]
    container.reload()
    joined = [network["NetworkID"] for network in container.attrs["NetworkSettings"]["Networks"].values()]
    assert len(joined) == 1
    assert engine.networks.get(joined[0]).attrs["Internal"] is True


async def test_without_triton_models_are_listed_at_once_and_say_what_is_missing(replay: Stack) -> None:
    async with grpc.aio.insecure_channel(replay.address("gateway-replay", GATEWAY_PORT)) as channel:
        models = models_pb2_grpc.ModelsServiceStub(channel)
        listed = await models.ListModels(models_pb2.ListModelsRequest(), timeout=PROMPT_SECONDS)
    assert "openai/gpt-4o-mini" in {model.name for model in listed.models}
    assert "inference" in {missing.provider for missing in listed.unreachable_providers}


async def test_a_provider_without_a_key_is_a_typed_error_and_a_triton_model_answers(live: Stack) -> None:
    async with grpc.aio.insecure_channel(live.address("gateway", GATEWAY_PORT)) as channel:
        chat = chat_pb2_grpc.ChatServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await chat.Chat(
                chat_pb2.ChatRequest(spec=question("openai/gpt-4o-mini", "What is an antiphon?")), timeout=CALL_SECONDS
            )
        assert from_rpc_error(caught.value).reason is Reason.CREDENTIALS_MISSING
        response = await chat.Chat(
            chat_pb2.ChatRequest(spec=question("triton/ngram", "The choir sings")), timeout=CALL_SECONDS
        )
        assert text_of(response.completion)


async def test_triton_in_its_container_embeds_and_lists_its_models(live: Stack) -> None:
    async with grpc.aio.insecure_channel(live.address("gateway", GATEWAY_PORT)) as channel:
        embeddings = embeddings_pb2_grpc.EmbeddingsServiceStub(channel)
        inputs = [embeddings_pb2.EmbedInput(text=text) for text in ("The choir sings.", "The choir is singing.")]
        request = embeddings_pb2.EmbedRequest(model="triton/hashing_embedding", inputs=inputs)
        response = await embeddings.Embed(request, timeout=CALL_SECONDS)
        models = models_pb2_grpc.ModelsServiceStub(channel)
        listed = await models.ListModels(models_pb2.ListModelsRequest(provider="triton"), timeout=CALL_SECONDS)
    assert [len(embedding.float32.values) for embedding in response.embeddings] == [256, 256]
    assert {"triton/ngram", "triton/hashing_embedding"} <= {model.name for model in listed.models}


def test_triton_is_reached_by_the_inference_service_alone(live: Stack) -> None:
    probe = "import socket; socket.create_connection(('triton', 8001), 3)"
    assert said_in(live.containers["inference"], "python3", "-c", probe)[0] == 0
    assert said_in(live.containers["gateway"], "python3", "-c", probe)[0] != 0


@pytest.mark.parametrize("name", ["gateway", "adapter", "inference", "triton"])
def test_a_stopped_container_ends_by_itself_with_status_0(live: Stack, name: str) -> None:
    # Last on purpose: the stack is gone afterwards.
    container = live.containers[name]
    container.stop(timeout=40)
    assert container.wait()["StatusCode"] == 0
