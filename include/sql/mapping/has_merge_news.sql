-- Tell whether there may be merges of customers to learn of, which is costly: something waits and there are earlier
-- versions, of which a first import has none; or an event of Intuit's names a merge.
select
    (
        exists (
            select
            from staging.history
            where realm_id = %(realm_id)s and staging.has_owner(entity)
        )
        and exists (
            select
            from staging.unmerged
            where realm_id = %(realm_id)s and staging.has_owner(entity)
        )
    )
    or exists (
        select
        from sync.webhook_event
        where realm_id = %(realm_id)s and read_at is null and entity = 'customer' and operation = 'merge'
    ) as has_news;
