"""Sends webhooks in the background: gathered, in order, tried again, and with the faults that tests ask for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import requests

from sandbox.webhooks import (
    SUBSCRIBED,
    Event,
    WebhookFault,
    WebhookSettings,
    body_of,
    content_type,
    new_id,
    sign,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.books import Change
    from sandbox.clock import Clock

# Intuit: whoever has not answered by then is taken to be down.
TIMEOUT_SECONDS = 3.0
WRONG_TOKEN = "not-the-verifier-token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Post:
    """One request to the subscriber."""

    body: bytes
    content_type: str


class WebhookSender:
    """
    Tells the subscriber of changes.

    A request that is not answered with 200 holds back the ones after it until it is, or is given up.

    :param clock: the sandbox's time.
    :param seed: makes the events' ids repeatable.
    :param settings: those that hold unless a test changes them.
    """

    def __init__(self, clock: Clock, seed: int, settings: WebhookSettings) -> None:
        self.settings = settings
        self.faults: list[WebhookFault] = []
        self.counts: Counter[str] = Counter()
        self._initial = settings
        self._clock = clock
        self._numbers = random.Random(seed)  # noqa: S311  (repeatable, not secret)
        self._gathered: list[Event] = []
        self._held_back: list[Post] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        """Whether anybody is told of changes."""
        return bool(self.settings.endpoint)

    @property
    def is_idle(self) -> bool:
        """Whether all that changed was told or given up."""
        return self._task is None or self._task.done()

    def change(self, values: dict[str, Any]) -> WebhookSettings:
        """
        Change some settings.

        :raises msgspec.ValidationError: when a name or a value is unknown; nothing is changed then.
        """
        self.settings = msgspec.convert({**msgspec.to_builtins(self.settings), **values}, WebhookSettings)
        return self.settings

    def add_fault(self, values: dict[str, Any]) -> None:
        """
        Let something go wrong with the next requests.

        :raises msgspec.ValidationError: when a name or a value is unknown.
        """
        self.faults.append(msgspec.convert(values, WebhookFault))

    def reset(self) -> None:
        """Go back to the initial settings, and drop the faults and all that was not told yet."""
        self.settings = self._initial
        self.faults.clear()
        self.counts.clear()
        self._gathered.clear()
        self._held_back.clear()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def tell(self, realm_id: str, changes: list[Change]) -> None:
        """Tell the subscriber of changes, soon."""
        now = self._clock.now()
        self._gathered += [
            Event(realm_id, change, now, new_id(self._numbers))
            for change in changes
            if change.entity in SUBSCRIBED
        ]
        if self._gathered and self.is_idle:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._gathered or self._held_back:
            await asyncio.sleep(self.settings.gather_seconds)
            gathered, self._gathered = self._gathered, []
            for post in self._posts(gathered):
                await self._send_with_faults(post)
            if not self._gathered:
                await self._send_held_back()

    def _posts(self, events: list[Event]) -> Iterator[Post]:
        """Group events as Intuit does: one company, unless they are to be mixed, and so many events a request."""
        by_realm: dict[str, list[Event]] = {}
        for event in events:
            realm_id = "" if self.settings.mixes_realms else event.realm_id
            by_realm.setdefault(realm_id, []).append(event)
        most = 1 if self.settings.single_object else self.settings.most_events
        for told in by_realm.values():
            for first in range(0, len(told), most):
                part = told[first : first + most]
                yield Post(body_of(part, self.settings), content_type(self.settings))

    async def _send_with_faults(self, post: Post) -> None:
        fault = self._pick_fault()
        kind = None if fault is None else fault.kind
        if kind == "lost":
            return
        if kind == "out_of_order":
            self._held_back.append(post)
            return
        if fault is not None and kind == "delayed":
            await asyncio.sleep(fault.seconds)
        await self._send(post, is_forged=kind == "bad_signature")
        if kind == "duplicate":
            await self._send(post)
        await self._send_held_back()

    async def _send_held_back(self) -> None:
        while self._held_back:
            await self._send(self._held_back.pop(0))

    def _pick_fault(self) -> WebhookFault | None:
        if not self.faults:
            return None
        fault = self.faults[0]
        fault.count -= 1
        if fault.count <= 0:
            self.faults.pop(0)
        self.counts[fault.kind] += 1
        return fault

    async def _send(self, post: Post, *, is_forged: bool = False) -> None:
        """Send a request until it is answered with 200, as often as the settings say."""
        for pause in (0.0, *self.settings.retry_seconds):
            await asyncio.sleep(pause)
            token = WRONG_TOKEN if is_forged else self.settings.verifier_token
            is_forged = False
            status = await asyncio.to_thread(_post, self.settings.endpoint, post, token)
            self.counts[f"answered {status}" if status else "unanswered"] += 1
            if status == requests.codes.ok:
                return
        self.counts["given up"] += 1


def _post(url: str, post: Post, token: str) -> int:
    """Send a request once, and return the status of the answer; 0 without one."""
    headers = {"Content-Type": post.content_type or None, "intuit-signature": sign(post.body, token)}
    try:
        return requests.post(url, post.body, headers=headers, timeout=TIMEOUT_SECONDS).status_code
    except requests.RequestException:
        return 0
