-- Give the records that wait for their merge a Peakflo id: the same one whenever it is computed.
insert into mapping.record (realm_id, entity, qbo_id, peakflo_id, origin)
select
    staged.realm_id,
    %(mapped_as)s as entity,
    staged.qbo_id,
    mapping.peakflo_id(staged.realm_id, %(mapped_as)s, staged.qbo_id) as peakflo_id,
    'quickbooks' as origin
from staging.unmerged as unmerged
inner join staging.record as staged
    on
        unmerged.realm_id = staged.realm_id
        and unmerged.entity = staged.entity
        and unmerged.qbo_id = staged.qbo_id
where
    unmerged.realm_id = %(realm_id)s
    and unmerged.entity = %(entity)s
    and staged.realm_id = %(realm_id)s
    and staged.entity = %(entity)s
    and staged.payload ->> 'status' is distinct from 'Deleted'
    and not exists (
        select 1
        from mapping.record as mapped
        where
            mapped.realm_id = %(realm_id)s
            and mapped.entity = %(mapped_as)s
            and mapped.qbo_id = staged.qbo_id
    );
