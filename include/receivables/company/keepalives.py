"""How a connection to the receivables database that is silent for long is kept, or found out to be lost."""

from __future__ import annotations

from typing import Any

# Parameters of libpq. Without them, a connection that a firewall dropped, or whose server is gone without a word, is
# never noticed; with them, within about a minute.
KEEPALIVES: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
