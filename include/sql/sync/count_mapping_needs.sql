-- Count, per account that is needed, the payments that wait to go to QuickBooks.
with waiting as (
    select
        payment.company_id,
        payment.id,
        payment.amount,
        payment.currency,
        payment.processing_fee,
        mapped.detail as wallet
    from outbox.delivery as delivery
    inner join peakflo.payment as payment
        on delivery.company_id = payment.company_id and delivery.payment_id = payment.id
    left join sync.account_mapping as mapped
        on
            delivery.company_id = mapped.company_id
            and delivery.realm_id = mapped.realm_id
            and mapped.purpose = 'deposit_wallet'
            and payment.wallet = mapped.detail
    where
        delivery.company_id = %(company_id)s
        and delivery.realm_id = %(realm_id)s
        and delivery.kind = 'waits'
        and payment.status = 'active'
)

select
    need.purpose,
    need.detail,
    count(distinct waiting.id) as payments
from waiting
left join peakflo.payment_allocation as allocation
    on waiting.company_id = allocation.company_id and waiting.id = allocation.payment_id
cross join lateral (
    values
    (case when waiting.amount > 0 and waiting.wallet is not null then 'deposit_wallet' end, waiting.wallet),
    (case when waiting.amount > 0 and waiting.wallet is null then 'deposit_currency' end, waiting.currency),
    (case when waiting.processing_fee > 0 then 'processing_fees' end, ''),
    (case when allocation.rounding_amount <> 0 then 'rounding' end, ''),
    (
        case when allocation.withholding_tax_amount > 0 then 'withholding_tax_receivable' end,
        coalesce(allocation.withholding_tax_type, '')
    )
) as need (purpose, detail)
where need.purpose is not null and need.detail is not null
group by need.purpose, need.detail
order by need.purpose, need.detail;
