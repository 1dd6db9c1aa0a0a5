"""The policy of a home, read from its file."""

from pathlib import Path

from exchange.config import Home
from exchange.errors import ConfigError
from exchange.policy import Policy, parse


def read_policy(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        ConfigError: it cannot be read, or is no policy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}", code="file-unreadable") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path} is not UTF-8") from e
    return parse(text, name=str(path))


def home_policy(home: Home) -> tuple[Path, Policy]:
    """The policy of a home: ``policy.toml``, or ``policy.json`` where that is absent; and its file.

    Raises:
        ConfigError: neither is there, or it is no policy.
    """
    path, as_json = home.policy_file, home.policy_file.with_suffix(".json")
    if not path.exists() and as_json.exists():
        path = as_json
    if not path.exists():
        raise ConfigError(
            f"{path} is missing", hint="without a policy nothing is allowed; docs/policy.md shows one"
        )
    return path, read_policy(path)
