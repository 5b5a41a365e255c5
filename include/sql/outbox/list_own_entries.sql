-- List the journal entries that QuickBooks has of Peakflo's payments, as far as we know.
select record.qbo_id
from outbox.record as record
where
    record.realm_id = %(realm_id)s
    and record.document = 'journal_entry'
    and record.state in ('made', 'undoing')
    and not exists (
        select
        from staging.journal_entry as staged
        where staged.realm_id = record.realm_id and staged.qbo_id = record.qbo_id and staged.deleted_at is not null
    )
order by record.qbo_id;
