from __future__ import annotations

import pytest


@pytest.fixture
def connected(db):
    """Add a company that was connected at some time, without asking QuickBooks."""

    def add(company_id: str, name: str = "Acme", *, status: str = "connected") -> str:
        realm_id = f"realm-{company_id}"
        db.execute(
            "insert into peakflo.company (company_id, realm_id, name) values (%s, %s, %s)",
            [company_id, realm_id, name],
        )
        db.execute(
            "insert into sync.connection (company_id, realm_id, status) values (%s, %s, %s)",
            [company_id, realm_id, status],
        )
        return company_id

    return add
