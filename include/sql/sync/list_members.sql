-- List who is named for which companies.
select
    member_kind,
    member,
    company_id
from sync.company_member
order by member_kind, member, company_id;
