-- Say who works in this session, and through what; its times are UTC's.
select
    set_config('timezone', 'UTC', false) as timezone,
    set_config('receivables.actor', %(actor)s, false) as actor,
    set_config('receivables.via', %(via)s, false) as via;
