"""What resolvers share within one request, and the limits they check against."""

import strawberry
from strawberry.fastapi import BaseContext

from graphsvc.api.graphql.loaders import Loaders
from graphsvc.config import GraphqlSettings
from graphsvc.errors import BadRequest, TooLarge
from graphsvc.feed import Feed
from graphsvc.graph.reader import Reader
from graphsvc.graph.registry import Registry

DEFAULT_COUNT = 10


class Context(BaseContext):
    """One request: its loaders, so that nothing is read twice, and what the service was built with."""

    def __init__(
        self, reader: Reader, registry: Registry, settings: GraphqlSettings, feed: Feed | None = None
    ) -> None:
        super().__init__()
        self.reader = reader
        self.registry = registry
        self.settings = settings
        self.feed = feed
        self.loaders = Loaders(reader)

    def renew(self) -> None:
        """Forget what was read: a new operation begins, or a subscription's next event."""
        self.loaders = Loaders(self.reader)

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


Info = strawberry.Info[Context, None]
