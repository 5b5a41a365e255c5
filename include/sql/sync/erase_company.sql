-- Delete all rows of a company.
select sync.erase_company(%(company_id)s);
