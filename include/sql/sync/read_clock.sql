-- Read the server's clock.
select now();
