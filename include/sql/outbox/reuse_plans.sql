-- Plan each prepared statement once, without regard to its parameters.
set plan_cache_mode = force_generic_plan;
