-- Take staged versions for unknown ones, so that what QuickBooks answered takes their place although it is no newer.
update staging.record
set content_hash = ''
where realm_id = %(realm_id)s and entity = %(entity)s and qbo_id = any(%(qbo_ids)b::text[]);
