-- Close the problems of payments that were edited on one side, once both say the same.
update sync.problem as problem
set
    state = 'resolved',
    resolved_at = now()
from outbox.delivery as delivery
where
    problem.company_id = %(company_id)s
    and problem.realm_id = %(realm_id)s
    and problem.direction = 'outbound'
    and problem.code in ('edited_after_sending', 'edited_in_quickbooks')
    and problem.state <> 'resolved'
    and problem.company_id = delivery.company_id
    and problem.peakflo_id = delivery.payment_id
    and delivery.leg = 'payment'
    and delivery.operation = 'create'
    and delivery.state = 'delivered'
    -- A version that could not be taken in cannot be compared.
    and case
        when
            (delivery.realm_id, delivery.qbo_id) not in (
                select
                    realm_id,
                    qbo_id
                from staging.unmerged
                where entity = 'payment'
            )
            then outbox.agrees(delivery)
    end;
