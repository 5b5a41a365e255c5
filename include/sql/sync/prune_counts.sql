-- Forget the calls and webhooks that were counted on days long ago.
with old as (
    delete from sync.webhook_count
    where began_at < now() - %(kept_for)s::interval
)

delete from sync.api_call
where day < current_date - %(kept_for)s::interval;
