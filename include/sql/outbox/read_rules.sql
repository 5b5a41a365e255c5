-- Read what a company allows of its payments.
select
    coalesce(setting.rounding_limit, 1) as rounding_limit,
    coalesce(setting.rounding_share, 0.005) as rounding_share,
    setting.approval_above,
    coalesce(setting.leaves_excess, false) as leaves_excess
from (values (%(company_id)s)) as company (company_id)
left join sync.company_setting as setting on company.company_id = setting.company_id;
