"""One aggregation that is in a bad way keeps no other from going on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from exchange.errors import ConfigError, PeerMisbehaved, SessionRefused, StoreError

log = logging.getLogger(__name__)


@contextmanager
def apart(context: bytes) -> Iterator[None]:
    """Say what is wrong with what is kept of one aggregation, and leave it as it is.

    Args:
        context: its name.
    """
    try:
        yield
    except (ConfigError, PeerMisbehaved, SessionRefused, StoreError) as e:
        log.warning("aggregation %s is left as it is: %s", context.hex()[:16], e)
