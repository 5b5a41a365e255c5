-- Forget some old moves of the records of payments that have been at rest for as long.
with old as (
    select move.move_id
    from outbox.move as move
    inner join outbox.record as record on move.record_id = record.record_id
    inner join outbox.delivery as delivery
        on record.company_id = delivery.company_id and record.payment_id = delivery.payment_id
    where
        move.moved_at < now() - %(kept_for)s::interval
        and delivery.kind = 'agrees'
        and delivery.since < now() - %(kept_for)s::interval
    order by move.move_id
    limit %(most)s
)

delete from outbox.move as move
using old
where move.move_id = old.move_id;
