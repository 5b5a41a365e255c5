-- Store the same tokens encrypted anew.
update sync.connection
set
    access_token = %(access_token)s,
    refresh_token = %(refresh_token)s
where company_id = %(company_id)s;
