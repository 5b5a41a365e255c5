-- Queue Peakflo's payments of which QuickBooks says something new: another version of a record than the one it answered
-- with, or a record that names the payment in its note and is none that we know. The echo of what was sent or undone is
-- no news.
with news as (
    select record.payment_id
    from outbox.record as record
    inner join staging.record as staged
        on
            record.realm_id = staged.realm_id
            and record.document = staged.entity
            and record.qbo_id = staged.qbo_id
    where
        record.realm_id = %(realm_id)s
        and record.document = %(entity)s
        and record.qbo_id = any(%(qbo_ids)b::text[])
        and (
            staged.sync_token > greatest(record.sync_token, record.undone_sync_token)
            or (staged.deleted_at is not null and record.state <> 'undone')
        )
    union
    select named.payment_id
    from outbox.named_record as named
    where
        named.realm_id = %(realm_id)s
        and named.document = %(entity)s
        and named.qbo_id = any(%(qbo_ids)b::text[])
        and named.qbo_id not in (
            select record.qbo_id
            from outbox.record as record
            where
                record.realm_id = %(realm_id)s
                and record.document = %(entity)s
                and record.qbo_id = any(%(qbo_ids)b::text[])
        )
)

select
    %(qbo_ids)b::text[] as resolved,
    0 as merged,
    0 as deleted,
    (select outbox.enqueue(%(company_id)s, array_agg(news.payment_id)) from news) as queued;
