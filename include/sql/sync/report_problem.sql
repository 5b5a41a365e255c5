-- Record what cannot sync, once per record and cause however often it is met; an ignored one stays ignored.
insert into sync.problem as kept (company_id, realm_id, direction, entity, qbo_id, code, message, cure, actor)
values (
    %(company_id)s, %(realm_id)s, %(direction)s, %(entity)s, %(qbo_id)s, %(code)s, %(message)s, %(cure)s, %(actor)s
)
on conflict (company_id, realm_id, direction, entity, qbo_id, code, peakflo_id) where state <> 'resolved' do update
    set
        message = excluded.message,
        cure = excluded.cure,
        actor = excluded.actor,
        attempts = kept.attempts + 1,
        last_seen_at = now();
