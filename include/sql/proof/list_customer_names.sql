-- List the names of a company's customers by QuickBooks' Id.
select
    source_id,
    company_name
from peakflo.customer
where company_id = %(company_id)s and realm_id = %(realm_id)s and source_id is not null;
