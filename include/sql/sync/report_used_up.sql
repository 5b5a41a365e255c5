-- Record for every connected company that no read is answered any more: the same problem as its first refused read.
insert into sync.problem as kept (company_id, realm_id, direction, code, message, cure, actor)
select
    company_id,
    realm_id,
    'connection' as direction,
    'throttled' as code,
    %(message)s as message,
    %(cure)s as cure,
    'data engineer' as actor
from sync.connection
where status = 'connected'
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        cure = excluded.cure,
        actor = excluded.actor;
