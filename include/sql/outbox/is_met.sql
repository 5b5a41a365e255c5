-- Tell whether QuickBooks was seen to have what a delivery would make.
select
    (
        %(leg)s = 'payment'
        and exists (
            select
            from mapping.payment
            where realm_id = %(realm_id)s and peakflo_id = %(payment_id)s
        )
    )
    or exists (
        select
        from outbox.marked_record
        where realm_id = %(realm_id)s and payment_id = %(payment_id)s and leg = %(leg)s and is_alive
    ) as is_met;
