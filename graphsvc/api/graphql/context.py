"""What resolvers share within one request, and the limits they check against."""

from copy import copy
from typing import Annotated, Any

import strawberry
from graphql.pyutils import Path
from strawberry.fastapi import BaseContext

from graphsvc.api.graphql.loaders import Loaders
from graphsvc.api.graphql.views import Long
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.feed import Feed
from graphsvc.graph.past import PastReader
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

DEFAULT_COUNT = 10
AsOf = Annotated[
    Long | None,
    strawberry.argument(
        description="Answer as things stood at this time, in milliseconds: aspects and relationships, those gone since "
        "too. What was deleted for good is not shown. Search, versions and timeseries within stay those of now."
    ),
]


class Context(BaseContext):
    """One request: its loaders, so that nothing is read twice, and what the service was built with."""

    def __init__(self, reader: Reader, registry: Registry, settings: GraphqlSettings, feed: Feed | None = None) -> None:
        super().__init__()
        self.reader = reader
        self.registry = registry
        self.settings = settings
        self.feed = feed
        self.needs: frozenset[str] = frozenset()  # aspects, as `Loaders` takes them
        self._loaders: Loaders | None = None
        self._past: dict[int, tuple[Path, Context]] = {}

    @property
    def loaders(self) -> Loaders:
        """What the operation has read."""
        if self._loaders is None:
            self._loaders = Loaders(self.reader, self.registry, self.needs)
        return self._loaders

    @property
    def needed(self) -> frozenset[str]:
        """As `Loaders` says."""
        return frozenset() if self._loaders is None else self._loaders.needed

    def read_by(self, reader: Reader) -> None:
        """Read by another reader from now on."""
        self.reader = reader
        self._loaders = None

    def renew(self) -> None:
        """Forget what was read: a new operation begins, or a subscription's next event."""
        self._loaders = None
        self._past.clear()

    def page(self, start: int | None, count: int | None) -> tuple[int, int]:
        """
        Check the bounds of a page.

        Returns:
            Start and count; 0 and `DEFAULT_COUNT` where the caller says nothing.

        Raises:
            BadRequest: One of them is negative.
            TooLarge: The page is larger than the settings allow.
        """
        start = 0 if start is None else start
        count = DEFAULT_COUNT if count is None else count
        if start < 0 or count < 0:
            raise BadRequest("start, count and limit are numbers from 0")
        self.check_size("count", count)
        return start, count

    def check_size(self, what: str, size: int) -> None:
        """Raise TooLarge if `size` passes the settings' page."""
        if size > self.settings.max_page:
            raise TooLarge(f"{what} is {size}; at most {self.settings.max_page} are answered at once")

    def at(self, path: Path) -> "Context":
        """The context of a field: that of the time which the query that it stands in asks about."""
        if not self._past:
            return self
        while path.prev is not None:
            path = path.prev
        found = self._past.get(id(path))
        return found[1] if found else self

    def set_time(self, path: Path, as_of: int) -> None:
        """
        Answer the query at a path, and all that stands in it, as of a time.

        Args:
            path: Of a field of the query type.
            as_of: Milliseconds.

        Raises:
            BadRequest: It is no time.
        """
        past = copy(self)
        past.read_by(PastReader(self.reader, self.registry, as_of))
        self._past[id(path)] = path, past  # operations of a batch share the context; no two have the same path


Info = strawberry.Info[Context, None]


class TimedInfo(strawberry.Info[Any, Any]):
    """What resolvers get, so that they read as of the time that was asked about, without knowing of it."""

    @property
    def context(self) -> Any:
        """The request's context, or that of a time."""
        context = self._raw_info.context
        return context.at(self.path) if isinstance(context, Context) else context


def context_of(info: Info, as_of: int | None) -> Context:
    """
    The context in which a query is answered; its nested fields will see the same.

    Args:
        info: Of a field of the query type.
        as_of: Milliseconds; None for now.

    Raises:
        BadRequest: It is no time.
    """
    if as_of is not None:
        info.context.set_time(info.path, as_of)
    return info.context
