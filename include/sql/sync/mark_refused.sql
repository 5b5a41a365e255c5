-- Keep that QuickBooks refused a company's refresh token, and tell when to try it once more.
update sync.connection
set refused_at = clock_timestamp()
where company_id = %(company_id)s and realm_id = %(realm_id)s
returning refused_at + %(pause)s as retry_at;
