"""How a connection to the receivables database that is silent for long is kept, or found out to be lost."""

from __future__ import annotations

from typing import Any

# Parameters of libpq. Without them, a connection that a firewall dropped, or whose server is gone without a word, is
# never noticed; with them, within about a minute. The options ask the same of the server: else the session of a worker
# whose host is lost would hold its company for the two hours after which Linux asks.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "options": "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=60000",
}
