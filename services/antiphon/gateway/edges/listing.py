"""Models and health as several edges show them: whole lists, and what of them is missing as warnings."""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.core.paging import MAX_PAGE
from antiphon.core.validation import check
from antiphon.gateway.edges.exchange import Exchange
from antiphon.v1 import chat_pb2, models_pb2


async def every_model(exchange: Exchange, *, provider: str = "", search: str = "") -> models_pb2.ListModelsResponse:
    """All models for the filters: HTTP lists have no pages, or pages of another kind."""
    whole = models_pb2.ListModelsResponse()
    request = models_pb2.ListModelsRequest(page_size=MAX_PAGE, provider=provider, search=search)
    while True:
        answer = await exchange.backend.list_models(request, exchange.call)
        whole.models.extend(answer.models)
        if not answer.next_page_token:
            whole.unreachable_providers.extend(answer.unreachable_providers)
            return whole
        request.page_token = answer.next_page_token


async def one_model(exchange: Exchange, name: str) -> models_pb2.Model:
    """One model. Raises ServiceError MODEL_NOT_FOUND."""
    request = models_pb2.GetModelRequest(name=name)
    check(request)
    return await exchange.backend.get_model(request, exchange.call)


def missing(providers: Iterable[models_pb2.UnreachableProvider]) -> list[chat_pb2.Warning]:
    """What a list lacks, said as warnings."""
    return [
        chat_pb2.Warning(code=each.reason, field=each.provider, message=f"its models are missing here: {each.message}")
        for each in providers
    ]
