-- Give staged records a Peakflo id: the same one whenever it is computed.
insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
select
    staged.realm_id,
    %(mapped_as)s as entity,
    staged.qbo_id,
    mapping.peakflo_id(staged.realm_id, %(mapped_as)s, staged.qbo_id) as peakflo_id,
    'quickbooks' as origin
from staging.record as staged
where
    staged.realm_id = %(realm_id)s
    and staged.entity = %(entity)s
    and staged.qbo_id = any(%(qbo_ids)b::text[])
    and staged.payload ->> 'status' is distinct from 'Deleted'
    and (
        select mapped.peakflo_id
        from mapping.record as mapped
        where
            mapped.realm_id = %(realm_id)s
            and mapped.entity = %(mapped_as)s
            and mapped.qbo_id = staged.qbo_id
    ) is null;
