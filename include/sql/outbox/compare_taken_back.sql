-- Queue what QuickBooks has of payments whose undoing was taken back to be compared anew: what was touched while it was
-- being undone was taken for the undoing.
with taken_back as (
    update outbox.delivery
    set code = 'taken_up'
    where company_id = %(company_id)s and realm_id = %(realm_id)s and code = 'taken_back'
    returning company_id, payment_id, leg
)

insert into staging.unmerged (realm_id, entity, qbo_id)
select
    staged.realm_id,
    staged.entity,
    staged.qbo_id
from outbox.delivery as created
inner join taken_back
    on
        created.company_id = taken_back.company_id
        and created.payment_id = taken_back.payment_id
        and created.leg = taken_back.leg
inner join staging.record as staged
    on
        created.realm_id = staged.realm_id
        and created.qbo_id = staged.qbo_id
        and staged.entity = case created.leg when 'payment' then 'payment' else 'journal_entry' end
where created.operation = 'create' and created.state = 'delivered'
on conflict do nothing;
