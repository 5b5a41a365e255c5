-- Name somebody for a company.
insert into sync.company_member (member_kind, member, company_id)
values (%(kind)s, %(member)s, %(company_id)s)
on conflict do nothing;
