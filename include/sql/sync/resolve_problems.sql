-- Close the problems of a QuickBooks company's records that went through; without Ids, all of the entity.
update sync.problem
set
    state = 'resolved',
    resolved_at = now()
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and direction = %(direction)s
    and entity = %(entity)s
    and (%(qbo_ids)b::text[] is null or qbo_id = any(%(qbo_ids)b::text[]))
    and state <> 'resolved';
