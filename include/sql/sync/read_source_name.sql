-- Read how QuickBooks calls the books that a company is connected to.
select company.source_name
from peakflo.company as company
where company.company_id = %(company_id)s and company.realm_id = %(realm_id)s;
