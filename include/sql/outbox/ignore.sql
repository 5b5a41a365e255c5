-- Let go of a delivery that a person has settled otherwise.
update outbox.delivery
set state = 'ignored'
where
    delivery_id = %(delivery_id)s
    and company_id = %(company_id)s
    and state in ('queued', 'held', 'rejected', 'possible_orphan')
returning delivery_id;
