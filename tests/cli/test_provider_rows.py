"""The providers of an installation: built in, brought by packages, changed by the operator."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antiphon.adapter.rows import built_in
from antiphon.cli.assembly import adapter
from antiphon.cli.provider_rows import provider_rows
from antiphon.core.call import Call
from antiphon.core.errors import Reason, ServiceError
from antiphon.core.settings import ProviderSettings, load
from antiphon.v1 import models_pb2

ONE = """
from antiphon.adapter.providers import Provider

PROVIDER = Provider(
    name="mycloud", base_url="https://llm.mycloud.example/v1", key_names=("MYCLOUD_KEY",), key_hint="mc-",
    default_model="m-1", features=("chat", "streaming"),
)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(tmp_path)
    return Package(tmp_path)


class Package:
    """An installed package that brings a provider: a module and the metadata that pip writes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def install(self, code: str, target: str, module: str) -> None:
        (self._root / f"{module}.py").write_text(code)
        metadata = self._root / f"{module}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[antiphon.providers]\nbrought = {module}:{target}\n")
        sys.modules.pop(module, None)


async def providers(environment: dict[str, str]) -> dict[str, models_pb2.Provider]:
    backend = adapter(load(), environment)
    try:
        found = await backend.list_providers(models_pb2.ListProvidersRequest(), Call())
    finally:
        await backend.close()
    return {provider.name: provider for provider in found.providers}


async def test_a_provider_of_another_package_stands_beside_the_built_in_ones(package: Package) -> None:
    package.install(ONE, "PROVIDER", "mycloud_row")
    without = await providers({})
    assert without.keys() == built_in().keys() | {"mycloud"}
    mine = without["mycloud"]
    assert (mine.configured, mine.missing) == (False, "set MYCLOUD_KEY")
    assert (mine.wire, mine.default_model, list(mine.features)) == ("openai_chat", "m-1", ["chat", "streaming"])
    with_key = (await providers({"MYCLOUD_KEY": "mc-123"}))["mycloud"]
    assert (with_key.configured, with_key.missing, with_key.warning) == (True, "", "")


async def test_a_key_of_another_shape_is_told_without_showing_it(package: Package) -> None:
    package.install(ONE, "PROVIDER", "mycloud_hint")
    mine = (await providers({"MYCLOUD_KEY": "sk-secret"}))["mycloud"]
    assert mine.configured
    assert "'mc-'" in mine.warning
    assert "secret" not in mine.warning


def test_a_function_that_makes_several_rows_is_called(package: Package) -> None:
    code = (
        ONE
        + "\nfrom dataclasses import replace\ndef rows():\n    return [PROVIDER, replace(PROVIDER, name='second')]\n"
    )
    package.install(code, "rows", "mycloud_several")
    assert {"mycloud", "second"} <= provider_rows(load()).keys()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("PROVIDER = 3", "it gives a int"),
        ("PROVIDER = [3]", "it gives a int"),
        ("raise RuntimeError('no licence')", "it failed with RuntimeError: no licence"),
        ("", "it failed with AttributeError"),
    ],
)
def test_a_plug_in_that_cannot_be_used_names_its_package(package: Package, code: str, said: str) -> None:
    package.install(code, "PROVIDER", f"broken_{abs(hash(code))}")
    with pytest.raises(ServiceError, match="uninstall broken_") as caught:
        provider_rows(load())
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert said in caught.value.message


@pytest.mark.parametrize("name", ["openai", "triton", "my/cloud"])
def test_a_plug_in_cannot_take_a_name_that_means_something_else(package: Package, name: str) -> None:
    package.install(ONE.replace('"mycloud"', f'"{name}"'), "PROVIDER", f"taken_{name.replace('/', '_')}")
    with pytest.raises(ServiceError, match="this name is taken"):
        provider_rows(load())


def test_a_plug_in_with_a_wire_that_does_not_exist_says_which_exist(package: Package) -> None:
    package.install(ONE.replace("base_url", 'wire="telex", base_url'), "PROVIDER", "mycloud_telex")
    with pytest.raises(ServiceError, match=r"providers\.mycloud\.wire is 'telex'; known: openai_chat, "):
        provider_rows(load())


def test_the_operator_can_give_a_new_provider_any_wire() -> None:
    mine = ProviderSettings(base_url="https://x.example", wire="gemini", embeddings="gemini_embeddings")
    row = provider_rows(load(providers={"mine": mine}))["mine"]
    assert (row.wire, row.embeddings) == ("gemini", "gemini_embeddings")
    with pytest.raises(ServiceError, match=r"providers\.mine\.wire is 'telex'"):
        provider_rows(load(providers={"mine": ProviderSettings(base_url="https://x.example", wire="telex")}))


def test_a_new_provider_needs_an_address() -> None:
    with pytest.raises(ServiceError, match=r"providers\.mine: is not built in, so base_url is needed"):
        provider_rows(load(providers={"mine": ProviderSettings(key="K")}))
