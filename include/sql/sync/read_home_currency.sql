-- Read in which currency a company keeps its books.
select company.home_currency from peakflo.company as company
where company.company_id = %(company_id)s;
