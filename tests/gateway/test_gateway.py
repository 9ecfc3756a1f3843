"""The gateway in front of backends in this process and elsewhere."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from antiphon.core.backends import Backend
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.remote import RemoteBackend
from antiphon.core.server import Server
from antiphon.gateway.routing import Router
from antiphon.gateway.service import Gateway
from antiphon.v1 import chat_pb2, embeddings_pb2, health_pb2, models_pb2
from tests.core.echo import Echo, question


class Named(Echo):
    """An echo with models of its own."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self._names = names

    async def list_models(self, request: models_pb2.ListModelsRequest, call: Call) -> models_pb2.ListModelsResponse:
        """One model a page, to have the gateway turn pages."""
        place = int(request.page_token or 0)
        response = models_pb2.ListModelsResponse(
            models=[models_pb2.Model(name=self._names[place], provider=self._names[place].split("/")[0])]
        )
        if place + 1 < len(self._names):
            response.next_page_token = str(place + 1)
        return response


def gateway(adapter: Backend, inference: Backend, **aliases: str) -> Gateway:
    return Gateway(
        backends={"adapter": adapter, "inference": inference},
        router=Router(default=adapter, prefixes={"triton": inference}, aliases=aliases),
    )


@pytest.mark.parametrize(
    ("asked", "reached", "as_model"),
    [
        ("openai/gpt", "adapter", "openai/gpt"),
        ("openai", "adapter", ""),
        ("triton/ngram", "inference", "triton/ngram"),
        ("fast", "inference", "triton/ngram"),
        ("faster", "inference", "triton/ngram"),
    ],
)
async def test_a_name_leads_to_its_backend(asked: str, reached: str, as_model: str) -> None:
    backends = {"adapter": Echo(), "inference": Echo()}
    door = gateway(backends["adapter"], backends["inference"], fast="triton/ngram", faster="fast")
    if not as_model:  # a provider alone is no model: the gateway knows no provider's default
        with pytest.raises(ServiceError) as caught:
            await door.chat(question("hi", asked), Call())
        assert caught.value.reason is Reason.MODEL_NOT_FOUND
        assert "antiphon models" in caught.value.message
        return
    spec = question("hi", asked)
    completion = await door.chat(spec, Call())
    assert completion.model == as_model
    assert [name for name, echo in backends.items() if echo.calls] == [reached]
    assert spec.model == asked, "the caller's request is not ours to change"


async def test_streams_and_embeddings_are_routed_like_chats() -> None:
    adapter, inference = Echo(), Echo()
    door = gateway(adapter, inference, song="triton/ngram")
    async with aclosing(door.stream_chat(chat_pb2.StreamChatRequest(spec=question("a b", "song")), Call())) as events:
        got = [event async for event in events]
    assert got[0].started.completion.model == "triton/ngram"
    assert got[-1].HasField("completed")
    request = embeddings_pb2.EmbedRequest(model="song", inputs=[embeddings_pb2.EmbedInput(text="x")])
    assert (await door.embed(request, Call())).model == "triton/ngram"
    assert request.model == "song"
    assert not adapter.calls


async def test_aliases_that_lead_in_a_circle_are_refused_at_the_start() -> None:
    with pytest.raises(ServiceError, match="circle"):
        gateway(Echo(), Echo(), a="b", b="a")


async def test_models_of_all_backends_are_merged_sorted_paged_and_carry_their_aliases() -> None:
    door = gateway(Named("openai/b", "anthropic/a"), Named("triton/c"), song="triton/c")
    whole = await door.list_models(models_pb2.ListModelsRequest(), Call())
    assert [model.name for model in whole.models] == ["anthropic/a", "openai/b", "triton/c"]
    assert list(whole.models[2].aliases) == ["song"]
    names, token = [], ""
    while True:
        page = await door.list_models(models_pb2.ListModelsRequest(page_size=2, page_token=token), Call())
        names += [model.name for model in page.models]
        token = page.next_page_token
        if not token:
            break
    assert names == ["anthropic/a", "openai/b", "triton/c"]
    with pytest.raises(ServiceError) as caught:
        await door.list_models(models_pb2.ListModelsRequest(page_token="?"), Call())
    assert caught.value.violations[0].field == "page_token"


async def test_an_unreachable_backend_is_named_and_the_others_still_answer() -> None:
    gone = RemoteBackend("inference", "127.0.0.1:1", hint="start it with `antiphon serve inference`")
    door = gateway(Named("openai/b"), gone)
    listed = await door.list_models(models_pb2.ListModelsRequest(), Call())
    assert [model.name for model in listed.models] == ["openai/b"]
    assert [(item.provider, item.reason) for item in listed.unreachable_providers] == [
        ("inference", "BACKEND_UNAVAILABLE")
    ]
    health = await door.get_health(health_pb2.GetHealthRequest(), Call())
    parts = {part.name: part for part in health.components}
    assert health.status == health_pb2.STATUS_DEGRADED
    assert parts["inference"].status == health_pb2.STATUS_NOT_SERVING
    assert "antiphon serve inference" in parts["inference"].message
    with pytest.raises(ServiceError) as caught:
        await door.chat(question("hi", "triton/ngram"), Call())
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE
    await door.close()


async def test_the_same_gateway_works_over_grpc_as_in_process() -> None:
    async with Server(Echo(), [], listen="127.0.0.1:0") as server:
        door = gateway(RemoteBackend("adapter", server.address), Echo())
        here = await gateway(Echo(), Echo()).chat(question("same words", "openai/x"), Call())
        there = await door.chat(question("same words", "openai/x"), Call())
        assert here == there
        with pytest.raises(ServiceError) as caught:
            await door.chat(question("!QUOTA_EXCEEDED", "openai/x"), Call())
        assert caught.value.reason is Reason.QUOTA_EXCEEDED
        await door.close()
