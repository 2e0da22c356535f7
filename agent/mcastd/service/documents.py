"""What JSON documents are made of: the answers, the events and the state files.

Whoever makes a document has its type checked; whoever reads one that came from outside gets an
`object` or a `Json` and has to look what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, Union

Json: TypeAlias = Union[bool, int, float, str, "Sequence[Json]", "Mapping[str, Json]", None]

JsonObject: TypeAlias = dict[str, Json]
"""One that is being made."""

Unread: TypeAlias = Mapping[str, object]
"""A table of a file or a request as it came: any value may be of any kind."""

Own: TypeAlias = dict[str, Any]
"""One that another part of this agent has made: of a process of its own, or of a file's checker."""

Document: TypeAlias = Mapping[str, object]
"""One that is ready to be written: a JsonObject, or a `TypedDict` whose values are all Json."""

Answer: TypeAlias = Document | Sequence[Document] | Iterator[Document]
"""Of the control socket: a document, a list of them, or one that is made bit by bit."""
