"""Says hello, and which version it is."""

from version import VERSION

print(f"hello from version {VERSION}")
