-- Name somebody for a company no longer.
delete from sync.company_member
where member_kind = %(kind)s and member = %(member)s and company_id = %(company_id)s;
