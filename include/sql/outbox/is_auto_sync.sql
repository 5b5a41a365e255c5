-- Tell whether a company has two-way payment sync switched on, as it is unless somebody said otherwise.
select coalesce(bool_and(auto_sync), true) as auto_sync
from sync.company_setting
where company_id = %(company_id)s;
