"""The name and version that agreements pin."""

from importlib.metadata import version

SOFTWARE = f"cosight {version('cosight')}"
