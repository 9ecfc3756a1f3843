"""Lists of models: filtered, sorted and paged the same way by every service."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from antiphon.core.errors import invalid
from antiphon.v1 import models_pb2

DEFAULT_PAGE = 1000
MAX_PAGE = 5000


def page(
    models: Iterable[models_pb2.Model],
    request: models_pb2.ListModelsRequest,
    unreachable: Iterable[models_pb2.UnreachableProvider] = (),
) -> models_pb2.ListModelsResponse:
    """The part of `models` that the request asks for. Raises ServiceError for a token that this did not make.

    A token is the name after which to go on, so that a list which changes between pages loses nothing.
    """
    after = _name_in(request.page_token)
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    wanted = sorted((model for model in models if _matches(model, request)), key=lambda model: model.name)
    rest = [model for model in wanted if model.name > after]
    response = models_pb2.ListModelsResponse(
        models=rest[:size], unreachable_providers=sorted(unreachable, key=lambda item: item.provider)
    )
    if len(rest) > size:
        response.next_page_token = base64.urlsafe_b64encode(rest[size - 1].name.encode()).decode()
    return response


def _matches(model: models_pb2.Model, request: models_pb2.ListModelsRequest) -> bool:
    if request.provider and model.provider != request.provider:
        return False
    needle = request.search.casefold()
    return needle in model.name.casefold() or needle in model.display_name.casefold()


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid("page_token", "is not one that this server gave; start again without it") from error
