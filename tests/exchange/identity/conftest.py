import pytest

from tests.exchange.identity.simulator import Alliance


@pytest.fixture
def alliance() -> Alliance:
    """The founder alone."""
    return Alliance()


@pytest.fixture
def three(alliance: Alliance) -> Alliance:
    """Three members, the founder the only administrator."""
    alliance.join("globex", "initech")
    return alliance
