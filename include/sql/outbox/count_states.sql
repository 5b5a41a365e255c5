-- Count a company's deliveries by state.
select
    state,
    count(*) as deliveries
from outbox.delivery
where company_id = %(company_id)s
group by state;
