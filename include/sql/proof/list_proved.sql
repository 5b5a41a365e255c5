-- List the companies that were proved within some time.
select distinct company_id
from proof.proof
where verdict <> 'not_proved' and made_at > now() - %(period)s;
