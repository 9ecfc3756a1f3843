"""AWS Signature Version 4, by botocore: the one provider family that signs each request instead of showing a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from antiphon.adapter.addresses import filled
from antiphon.adapter.providers import Provider, SigV4
from antiphon.core.errors import Reason, ServiceError

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"

Signer = Callable[[httpx.Request], None]


def signs(values: Mapping[str, str]) -> bool:
    """Whether there is something to sign with."""
    return bool(values.get(ACCESS_KEY) and values.get(SECRET_KEY))


def secrets(values: Mapping[str, str]) -> list[str]:
    """The values that no log or recording may hold."""
    return [values[name] for name in (SECRET_KEY, SESSION_TOKEN) if values.get(name)]


def signer(provider: Provider, auth: SigV4, values: Mapping[str, str]) -> Signer:
    """What signs a request of this provider. Raises ServiceError where botocore is not installed."""
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError as error:
        raise ServiceError(
            Reason.CREDENTIALS_MISSING,
            f"{provider.name} signs with botocore, which is not installed: `pip install 'antiphon[bedrock]'`, "
            "or set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key",
            metadata={"provider": provider.name},
        ) from error
    credentials = Credentials(values[ACCESS_KEY], values[SECRET_KEY], values.get(SESSION_TOKEN) or None)
    by = SigV4Auth(credentials, auth.service, filled(provider, auth.region, values))

    def sign(request: httpx.Request) -> None:
        signed = AWSRequest(
            method=request.method,
            url=str(request.url),
            data=request.content,
            headers={name: request.headers[name] for name in ("content-type",) if name in request.headers},
        )
        by.add_auth(signed)
        for name, value in signed.headers.items():
            request.headers[name] = value

    return sign
