"""Cassettes of other recorders become antiphon's: vcrpy, pydantic-ai, langchain, go-vcr and Ruby's VCR.

    import_folder("old/cassettes", "cassettes")

Nothing is taken on trust: files are read as data, headers are kept by allow-list, and an exchange that holds
a credential is refused, or masked where that is asked for.
"""

from antiphon.harness.importing.dialects import DIALECTS, exchanges
from antiphon.harness.importing.files import Imported, import_file, import_folder

__all__ = ["DIALECTS", "Imported", "exchanges", "import_file", "import_folder"]
