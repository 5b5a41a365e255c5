from __future__ import annotations

from include.quickbooks import entities


def test_every_entity_has_its_own_name_and_table():
    assert len({entity.name for entity in entities.ENTITIES}) == len(entities.ENTITIES)
    assert len({entity.table for entity in entities.ENTITIES}) == len(entities.ENTITIES)


def test_every_declared_entity_is_in_the_table():
    declared = {value for value in vars(entities).values() if isinstance(value, entities.Entity)}

    assert declared == set(entities.ENTITIES)


def test_all_that_is_synced_can_be_asked_for_in_one_call_of_change_data_capture():
    assert all(entity.in_changes for entity in entities.SYNCED)


def test_change_data_capture_does_not_cover_taxes():
    assert not entities.TAX_CODE.in_changes
    assert not entities.TAX_RATE.in_changes


def test_transactions_have_no_active_flag():
    transactions = (entities.INVOICE, entities.PAYMENT, entities.CREDIT_MEMO, entities.JOURNAL_ENTRY)

    assert not any(entity.is_list for entity in transactions)


def test_an_entity_is_found_by_its_name():
    assert entities.BY_NAME["CreditMemo"] is entities.CREDIT_MEMO
