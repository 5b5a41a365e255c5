from __future__ import annotations


class ListedTokens:
    """Access tokens from a list; renewing takes the next."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.rejected: list[str] = []

    def current(self) -> str:
        return self.left[0]

    def renew(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.left.pop(0)
        return self.left[0]
