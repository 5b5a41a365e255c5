"""Situations from public reports that were got wrong once, each with what is right."""

from __future__ import annotations

from tests.include.receivables.conftest import cashier, keep_books, sandbox, unlimited

__all__ = ["cashier", "keep_books", "sandbox", "unlimited"]
