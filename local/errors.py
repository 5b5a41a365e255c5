"""What can go wrong on this machine."""

from __future__ import annotations


class LocalError(Exception):
    """The local installation cannot start or go on; the message is one sentence that says what to do."""
