-- Take merged records off the list, and those that were deleted before they were ever read.
delete from staging.unmerged as waiting
where
    waiting.realm_id = %(realm_id)s
    and waiting.entity = %(entity)s
    and waiting.qbo_id = any(%(qbo_ids)b::text[])
    and (
        waiting.qbo_id = any(%(resolved)b::text[])
        or (
            select staged.payload ->> 'status'
            from staging.record as staged
            where
                staged.realm_id = %(realm_id)s
                and staged.entity = %(entity)s
                and staged.qbo_id = waiting.qbo_id
        ) = 'Deleted'
    );
