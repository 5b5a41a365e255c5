-- List the payments that are said to be in QuickBooks as Peakflo says.
select payment_id
from outbox.delivery
where company_id = %(company_id)s and realm_id = %(realm_id)s and kind = 'agrees'
order by delivery_id;
