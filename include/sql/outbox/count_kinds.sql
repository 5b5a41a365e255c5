-- Count a company's payments for QuickBooks by where they stand.
select
    kind,
    count(*) as payments
from outbox.delivery
where company_id = %(company_id)s
group by kind;
