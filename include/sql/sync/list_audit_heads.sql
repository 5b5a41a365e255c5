-- List where each company's chain of acts ends.
select
    company_id,
    number,
    encode(hash, 'hex') as hash
from sync.audit_head
order by company_id;
